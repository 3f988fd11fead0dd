# SPDX-License-Identifier: GPL-2.0-or-later
"""`systemctl show` is read right, and each bad state of a unit has its way out."""

from collections.abc import Sequence
from typing import Never

import msgspec
import pytest

from vdsm_tool.errors import ToolError
from vdsm_tool.finding import Level
from vdsm_tool.state.units import Unit, judge, parse_units, read_units

# As systemd 257 prints it.
SHOWN = """\
MainPID=812
NRestarts=2
Result=success
Id=supervdsm.service
LoadState=loaded
ActiveState=active
SubState=running
ActiveEnterTimestampMonotonic=25000000

Result=success
Listen=/run/vdsm/svdsm.sock (Stream)
Listen=[::]:54321 (Stream)
Id=supervdsm.socket
LoadState=loaded
ActiveState=active
SubState=running
ActiveEnterTimestampMonotonic=24000000

MainPID=0
NRestarts=0
Result=success
Id=vdsm.service
LoadState=not-found
ActiveState=inactive
SubState=dead
ActiveEnterTimestampMonotonic=0
"""


@pytest.fixture
def units() -> dict[str, Unit]:
    return {unit.name: unit for unit in parse_units(SHOWN, now=85.5)}


def test_a_service_is_read(units: dict[str, Unit]) -> None:
    service = units["supervdsm.service"]
    assert (service.main_pid, service.restarts, service.active_for) == (812, 2, 60.5)


def test_every_address_of_a_socket_is_read(units: dict[str, Unit]) -> None:
    assert units["supervdsm.socket"].listen == ["/run/vdsm/svdsm.sock", "[::]:54321"]


def test_a_unit_that_is_not_active_has_no_age(units: dict[str, Unit]) -> None:
    assert units["vdsm.service"].active_for is None


def changed(unit: Unit, **fields: object) -> Unit:
    return msgspec.structs.replace(unit, **fields)


@pytest.mark.parametrize(
    ("fields", "level", "says"),
    [
        ({"restarts": 0}, Level.OK, ""),
        ({}, Level.WARN, "journalctl"),
        ({"active": "activating", "sub": "auto-restart"}, Level.FAIL, "starting"),
        ({"active": "failed", "sub": "failed", "result": "exit-code"}, Level.FAIL, "start"),
        ({"active": "inactive", "sub": "dead"}, Level.FAIL, "systemctl start supervdsm.service"),
        ({"load": "not-found"}, Level.FAIL, "make install"),
        ({"load": "bad-setting"}, Level.FAIL, "systemctl cat"),
    ],
)
def test_each_state_has_its_level_and_way_out(
    units: dict[str, Unit], fields: dict[str, object], level: Level, says: str
) -> None:
    finding = judge(changed(units["supervdsm.service"], **fields))
    assert finding.level is level
    assert says in finding.way_out


def test_a_systemd_that_cannot_be_asked_is_unknown() -> None:
    def run(_command: Sequence[str]) -> Never:
        raise ToolError("systemctl failed: System has not been booted with systemd")

    with pytest.raises(ToolError, match="cannot be asked") as caught:
        read_units(run)
    assert caught.value.status == 2
    assert caught.value.hint
