# SPDX-License-Identifier: GPL-2.0-or-later
"""Levels become a verdict and an exit status."""

import pytest

from vdsm_tool.finding import Finding, Level, exit_status, worst


@pytest.mark.parametrize(
    ("levels", "verdict", "status"),
    [
        ([], Level.OK, 0),
        ([Level.OK, Level.WARN], Level.WARN, 0),
        ([Level.WARN, Level.UNKNOWN], Level.UNKNOWN, 2),
        ([Level.UNKNOWN, Level.FAIL, Level.OK], Level.FAIL, 1),
    ],
)
def test_the_worst_finding_is_the_verdict(levels: list[Level], verdict: Level, status: int) -> None:
    findings = [Finding("x", level, "") for level in levels]
    assert worst(findings) is verdict
    assert exit_status(verdict) == status
