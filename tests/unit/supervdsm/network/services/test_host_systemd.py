# SPDX-License-Identifier: GPL-2.0-or-later
"""How the host's systemctl is called: a stand-in tells what it was given."""

import sys
from pathlib import Path

import pytest

from supervdsm.network.services import host_systemd
from supervdsm.network.services.dhcp import Units
from supervdsm.network.services.host_systemd import ON_HOST, HostSystemd
from vdsm_contract.errors import ServiceFailed

_STAND_IN = """
import sys
with open(sys.argv[1], "a") as log:
    print(*sys.argv[3:], file=log)
exec(sys.argv[2])
"""
LIST = "print('vdsm-dhcp@br-1.service loaded active running DHCP\\n\\nvdsm-dhcp@a_x2bb.service x')"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log"


def systemd(log: Path, answer: str = "pass") -> HostSystemd:
    return HostSystemd((sys.executable, "-c", _STAND_IN, str(log), answer))


def test_it_goes_to_the_host_s_mounts() -> None:
    assert ON_HOST == ("nsenter", "--target", "1", "--mount", "--")


def test_a_client_s_unit_is_restarted_and_stopped(log: Path) -> None:
    units = Units(systemd(log))
    units.restart("br-1")
    units.stop("br-1")
    assert log.read_text().splitlines() == [
        "systemctl restart vdsm-dhcp@br-1.service",
        "systemctl stop vdsm-dhcp@br-1.service",
        "systemctl reset-failed vdsm-dhcp@br-1.service",
    ]


def test_all_clients_are_listed_by_one_command(log: Path) -> None:
    assert sorted(Units(systemd(log, LIST)).started()) == ["a_x2bb", "br-1"]
    (line,) = log.read_text().splitlines()
    assert line.startswith("systemctl list-units ")
    assert line.endswith(" vdsm-dhcp@*.service")


def test_a_failure_tells_the_last_words_of_the_container(log: Path) -> None:
    fails = "sys.exit(1) if 'restart' in sys.argv else print('nic9: not found\\ndhcpcd exited')"
    with pytest.raises(ServiceFailed) as caught:
        Units(systemd(log, fails)).restart("nic9")
    assert caught.value.unit == "vdsm-dhcp@nic9.service"
    assert caught.value.reason == "nic9: not found; dhcpcd exited"
    assert log.read_text().splitlines()[-1].endswith(" CONTAINER_NAME=vdsm-dhcp-nic9")


def test_a_failure_without_words_tells_systemctl_s(log: Path) -> None:
    fails = "sys.exit('Unit not found.') if 'restart' in sys.argv else None"
    with pytest.raises(ServiceFailed, match=r"Unit not found\."):
        systemd(log, fails).restart("vdsm-dhcp@nic0.service", "vdsm-dhcp-nic0")


@pytest.mark.parametrize(
    "unit",
    [
        "ssh.service",
        "vdsm-dhcp@.service",
        "vdsm-dhcp@../x.service",
        "vdsm-dhcp@a b.service",
        "vdsm-dhcp@a.service\nssh.service",
        "--now",
    ],
)
def test_no_other_unit_can_be_named(log: Path, unit: str) -> None:
    with pytest.raises(ServiceFailed, match="not a unit of ours"):
        systemd(log).stop(unit)
    with pytest.raises(ServiceFailed):
        systemd(log, "sys.exit(1)").restart(unit, "x")
    assert "stop" not in (log.read_text() if log.exists() else "")


def test_a_command_that_hangs_is_a_typed_error(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_systemd, "_LIMIT", 0.2)
    with pytest.raises(ServiceFailed, match="did not end within"):
        systemd(log, "__import__('time').sleep(60)").stop("vdsm-lldpd.service")


def test_a_host_without_the_program_is_a_typed_error() -> None:
    with pytest.raises(ServiceFailed, match="No such file"):
        HostSystemd(("/nonexistent/nsenter",)).started("vdsm-dhcp@*.service")
