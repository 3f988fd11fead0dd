# SPDX-License-Identifier: GPL-2.0-or-later
"""How supervdsm's report of itself is judged."""

from pathlib import Path

import msgspec
import pytest

from vdsm_contract.types import HealthReport
from vdsm_tool.finding import Level
from vdsm_tool.state.supervdsm import ask, judge

WELL = HealthReport(
    contract="1",
    release="0.1.0",
    pid=812,
    uptime=60.0,
    draining=False,
    connections=2,
    inFlight=1,
    calls=10,
    failures=1,
    overdue=[],
)


@pytest.mark.parametrize(
    ("fields", "level"),
    [
        ({}, Level.OK),
        ({"draining": True}, Level.WARN),
        ({"overdue": ["org.ovirt.supervdsm.storage.Mount flow-1"]}, Level.FAIL),
    ],
)
def test_each_report_has_its_level(fields: dict[str, object], level: Level) -> None:
    assert judge(msgspec.structs.replace(WELL, **fields)).level is level


def test_no_socket_is_a_failure_with_a_way_out(tmp_path: Path) -> None:
    report, finding = ask(tmp_path / "svdsm.sock")
    assert report is None
    assert finding.level is Level.FAIL
    assert "supervdsm.socket" in finding.way_out
