# SPDX-License-Identifier: GPL-2.0-or-later
"""vdsm.conf on a real host: what is wrong keeps vdsm from starting, and the journal says why."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from machines import Machine

DROP_IN = "/etc/vdsm/vdsm.conf.d/50-test.conf"
RUNTIME = "/run/vdsm/vdsm.conf.d"
COMPLAINT = f"{DROP_IN}, line 3: there is no setting [rpc] worker_treads"


def write(host: Machine, text: str) -> None:
    host.run(
        "sh", "-c", f"mkdir -p {DROP_IN.rpartition('/')[0]}; cat >{DROP_IN}", stdin=text.encode()
    )


def restart(host: Machine) -> str:
    """Restart vdsm; return the cursor of the journal from before."""
    cursor = now(host)
    host.run("systemctl", "restart", "vdsm.service", check=False)
    return cursor


def now(host: Machine) -> str:
    return host.sh("journalctl -n0 --show-cursor | sed -n 's/^-- cursor: //p'")


def journal(host: Machine, cursor: str, unit: str = "vdsm") -> str:
    return host.run("journalctl", "-u", unit, "-o", "cat", f"--after-cursor={cursor}").stdout


def nics(host: Machine) -> set[str]:
    """Return the NICs that supervdsm shows."""
    call = ("call", "/run/vdsm/svdsm.sock", "org.ovirt.supervdsm.network.NetworkCaps", "{}")
    answer: dict[str, Any] = json.loads(host.run("varlinkctl", "--json=short", *call).stdout)
    return set(next(iter(answer.values()))["nics"] if "nics" not in answer else answer["nics"])


@pytest.fixture(autouse=True)
def own_configuration(host: Machine) -> Iterator[None]:
    """What a test configured is gone after it, and vdsm runs without it."""
    yield
    host.sh(f"rm -rf {DROP_IN} {RUNTIME}; systemctl try-restart vdsm.service")
    host.wait("[ $(systemctl show -P ActiveState vdsm.service) = active ]")


def test_a_wrong_key_keeps_vdsm_from_starting_until_it_is_corrected(host: Machine) -> None:
    supervdsm = host.pid("supervdsm")
    write(host, "# workers\n[rpc]\nworker_treads = 4\n")
    cursor = restart(host)
    host.wait("systemctl show -P NRestarts vdsm.service | grep -qv '^0$'")
    assert f"vdsm: {COMPLAINT}\n" in journal(host, cursor)
    assert host.show("vdsm.service", "ActiveState") != "active"
    assert host.pid("supervdsm") == supervdsm

    check = host.run("vdsm-tool", "config", "--check", check=False)
    assert (check.returncode, check.stdout) == (1, f"vdsm: {COMPLAINT}\n")
    status = json.loads(host.run("vdsm-tool", "status", check=False).stdout)
    (finding,) = [one for one in status["findings"] if one["name"] == "vdsm"]
    assert COMPLAINT in finding["detail"]

    # systemd tries again and again: the corrected file is enough.
    write(host, "# workers\n[rpc]\nworker_threads = 4\n")
    host.wait("[ $(systemctl show -P ActiveState vdsm.service) = active ]")
    assert host.client("Host", "ping2") is True
    assert host.run("vdsm-tool", "config", "--check").stdout == ""


def test_what_is_shown_is_what_vdsm_took(host: Machine) -> None:
    write(host, "[vars]\nguest_ram_overhead = 70\nhost_mem_reserve = 1000\nvdsm_nice = -5\n")
    host.run("mkdir", "-p", RUNTIME)
    host.run("sh", "-c", f"cat >{RUNTIME}/90-now.conf", stdin=b"[vars]\nhost_mem_reserve = 2000\n")
    cursor = restart(host)
    shown = json.loads(host.run("vdsm-tool", "config").stdout)
    settings = {one["key"]: one for one in shown["settings"]}
    assert settings["host_mem_reserve"]["origin"] == {"file": f"{RUNTIME}/90-now.conf", "line": 2}
    assert settings["guest_ram_overhead"]["origin"] == {"file": DROP_IN, "line": 2}
    assert settings["ssl"]["origin"] is None
    caps = host.client("Host", "getCapabilities")
    assert (caps["reservedMem"], caps["guestOverhead"]) == ("2065", "70")
    assert f"{DROP_IN}, line 4: [vars] vdsm_nice has no effect here" in journal(host, cursor)
    assert [one["key"] for one in shown["withoutEffect"]] == ["vdsm_nice"]


def test_a_file_that_only_root_may_read_is_refused_alike(host: Machine) -> None:
    write(host, "[rpc]\nworker_threads = 4\n")
    host.run("chmod", "600", DROP_IN)
    cursor = restart(host)
    host.wait("systemctl show -P NRestarts vdsm.service | grep -qv '^0$'")
    complaint = f"vdsm: {DROP_IN} cannot be read: Permission denied\n"
    assert complaint in journal(host, cursor)
    check = host.run("vdsm-tool", "config", "--check", check=False)
    assert (check.returncode, check.stdout) == (1, complaint)


def test_a_nic_is_hidden_and_a_wrong_file_does_not_keep_supervdsm_away(host: Machine) -> None:
    assert "eth0" in nics(host)
    write(host, "[vars]\nfake_nics =\nhidden_nics = w*,usb*,eth*\n")
    host.sh("systemctl restart supervdsm")
    assert "eth0" not in nics(host)
    write(host, "[vars]\nhidden_nics = w*,usb*,eth*\nsls = true\n")
    cursor = now(host)
    host.sh("systemctl restart supervdsm")
    assert "eth0" in nics(host), "the defaults hold"
    assert f"{DROP_IN}, line 3: there is no setting [vars] sls" in journal(
        host, cursor, "supervdsm"
    )
    host.sh(f"rm {DROP_IN}; systemctl restart supervdsm")
