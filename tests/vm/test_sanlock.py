# SPDX-License-Identifier: GPL-2.0-or-later
"""Two hosts on one NFS export, with the real sanlock: who is SPM, and who is next.

The first host is the VM, with a watchdog; the second is in it (second_host.py), without one.
"""

import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from machines import Machine, Report
from storage.client import refused, through
from storage.engine import NFS, Engine, Refused, new_id
from vm.leases import CLIENT, IO_TIMEOUT, dump, exported, held, host_ids, silent
from vm.second_host import ADDRESS, FIRST, SecondHost

EXPORT = "/srv/leases"


@pytest.fixture(scope="module")
def first(leased: Machine) -> Iterator[Machine]:
    """The VM, with an export for both hosts."""
    with exported(leased, EXPORT):
        yield leased


@pytest.fixture(scope="module")
def second(first: Machine) -> Iterator[SecondHost]:
    """Another host on the same export."""
    host = SecondHost(first.tool, first.name)
    host.boot()
    try:
        yield host
    finally:
        host.remove()


@pytest.fixture(scope="module")
def engines(first: Machine, second: SecondHost) -> Iterator[tuple[Engine, Engine]]:
    """One engine's view of both hosts: the first has id 1, the second id 2. At the end the first
    gives up everything, as its sanlock would not end before."""
    connection = {"connection": f"{FIRST}:{EXPORT}", "protocol_version": "4.1"}
    one = Engine(through(first), NFS, connection, patience_s=300)
    yield one, replace(one, call=through(second), host_id=2, connection_id=new_id())
    one.resume()
    assert one.spm_status()["spmStatus"] == "SPM"
    one.finish()
    assert first.sh(f"{CLIENT} gets") == ""
    assert ADDRESS not in first.sh("findmnt --list --output SOURCE")


def journal(host: Machine, unit: str) -> str:
    return host.sh(f"journalctl --boot --no-pager --output=cat CONTAINER_NAME={unit}")


def test_a_host_with_a_watchdog_uses_it_and_one_without_says_so(
    first: Machine, second: SecondHost
) -> None:
    assert "The watchdog resets this host" in journal(first, "vdsm-sanlock")
    assert first.show("vdsm-wdmd.service", "ActiveState") == "active"
    assert "works without a watchdog" in journal(second, "vdsm-sanlock")
    assert second.show("vdsm-wdmd.service", "ActiveState") == "inactive"


def test_sanlock_has_only_what_it_needs(first: Machine) -> None:
    status = first.sh(f"cat /proc/{first.pid('vdsm-sanlock')}/status")
    fields = dict(line.split(":", 1) for line in status.splitlines())
    assert fields["Uid"].split() == ["179"] * 4
    assert int(fields["CapEff"], 16) == 0
    assert fields["NoNewPrivs"].strip() == "1"


def test_one_is_spm_the_other_waits_until_the_lease_has_run_out(
    first: Machine, second: SecondHost, engines: tuple[Engine, Engine], report: Report
) -> None:
    one, two = engines
    two.begin()
    assert two.spm_status()["spmStatus"] == "SPM"

    one.connect_server()
    same = replace(one, host_id=two.host_id)
    same.connect_pool()
    with refused(661):
        same.spm_start()
    same.disconnect_pool()
    one.connect_pool()
    with refused(651):
        one.spm_start()
    assert one.spm_status()["spmId"] == two.host_id

    path = f"/rhev/data-center/mnt/{FIRST}:_srv_leases/{two.domain}/dom_md/leases"
    [lease] = dump(first, path, offset=1 << 20)
    assert (lease["lockspace"], lease["resource"]) == (two.domain, "SDM")
    # Version 1 was the lock under which the pool was made.
    assert (lease["own"], lease["lver"]) == (two.host_id, 2)
    assert lease["timestamp"] > 0

    second.power_cut()
    began = time.monotonic()
    while True:
        try:
            one.spm_start()
            break
        except Refused as error:
            if error.code != 651 or time.monotonic() - began > 400:
                raise
    took = time.monotonic() - began
    report(f"SPM {took:.0f} s after the power cut of the former one, with io_timeout {IO_TIMEOUT}")
    # Nobody may have the lease before the dead host's watchdog would have fired.
    assert took > 8 * IO_TIMEOUT
    assert one.spm_status()["spmStatus"] == "SPM"


def test_a_host_that_loses_its_lease_stops(
    first: Machine, engines: tuple[Engine, Engine], report: Report
) -> None:
    one, _ = engines
    assert one.spm_status()["spmStatus"] == "SPM"
    vdsm, sanlock = first.pid("vdsm"), first.pid("vdsm-sanlock")
    began = time.monotonic()
    with silent(first, FIRST):
        # Its first process: when that is gone, so is all that it started.
        first.wait(f"! kill -0 {vdsm} 2>/dev/null", timeout=400)
        report(f"vdsm ended {time.monotonic() - began:.0f} s after its storage did")
        assert " sig 15 " in journal(first, "vdsm-sanlock")
        assert held(first) == []
    back = time.monotonic()
    first.wait_for_restart("vdsm", vdsm, timeout=400)
    assert first.pid("vdsm-sanlock") == sanlock
    one.resume()
    assert one.spm_status()["spmStatus"] == "SPM"
    report(f"it was SPM again {time.monotonic() - back:.0f} s after its storage came back")
    assert host_ids(first) == {one.domain: one.host_id}
    assert held(first) == [(one.domain, "SDM")]


def test_nobody_stops_sanlock_while_the_host_has_leases(first: Machine) -> None:
    pid = first.pid("vdsm-sanlock")
    for verb in ("stop", "restart"):
        done = first.run("systemctl", verb, "vdsm-sanlock.service", check=False)
        assert "refuse" in done.stderr
    assert first.run(*f"{CLIENT} shutdown -w 1".split(), check=False).returncode != 0
    uninstall = first.run("/opt/vdsm-pair/containers/uninstall", check=False)
    assert "holds ids and leases" in uninstall.stderr
    first.sh("systemctl restart vdsm.target", timeout=300)
    first.wait("systemctl is-active --quiet vdsm.service supervdsm.service", timeout=300)
    assert first.pid("vdsm-sanlock") == pid
    # vdsm's own leases end with it; the host's id stays.
    assert "SDM" not in first.sh(f"{CLIENT} status")
    assert ":1:" in first.sh(f"{CLIENT} gets")
