# SPDX-License-Identifier: GPL-2.0-or-later
"""The ports of metrics: off until somebody enables them, on loopback, told apart by their name."""

import pytest

from unitfiles import QUADLET, UnitFile, read_unit
from vdsm_contract.systemd import METRICS_FD

SIDES = ("vdsm", "supervdsm")
OVIRT_PORTS = range(54321, 54325)
"""vdsm's, and those of ovirt-imageio."""


@pytest.fixture(params=SIDES)
def side(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def unit(side: str) -> UnitFile:
    return read_unit(f"{side}-metrics.socket")


def port(unit: UnitFile) -> int:
    host, _, number = unit.value("Socket", "ListenStream").partition(":")
    assert host == "127.0.0.1"
    return int(number)


def test_it_listens_on_loopback_and_on_none_of_ovirt_s_ports() -> None:
    ports = [port(read_unit(f"{side}-metrics.socket")) for side in SIDES]
    assert len(set(ports)) == len(SIDES)
    assert not set(ports) & set(OVIRT_PORTS)


def test_the_daemon_knows_it_by_its_name(unit: UnitFile) -> None:
    assert unit.value("Socket", "FileDescriptorName") == METRICS_FD


def test_nothing_but_enabling_it_starts_it(side: str, unit: UnitFile) -> None:
    """Sockets= of the service would be a Wants=, too."""
    assert unit.value("Socket", "Service") == f"{side}.service"
    assert unit.value("Install", "WantedBy") == f"{side}.service"
    others = [path for path in QUADLET.iterdir() if path.is_file() and path.name != unit.name]
    for other in others:
        lines = other.read_text().splitlines()
        assert not [line for line in lines if unit.name in line and not line.startswith("#")]


def test_it_stops_with_the_pair_and_no_crash_ends_it(unit: UnitFile) -> None:
    assert unit.value("Unit", "PartOf") == "vdsm.target"
    assert unit.value("Unit", "StartLimitIntervalSec") == "0"
    assert unit.value("Socket", "TriggerLimitIntervalSec") == "0"
    assert unit.value("Socket", "PollLimitIntervalSec") == "0"
    assert unit.value("Socket", "Accept") == "no"
