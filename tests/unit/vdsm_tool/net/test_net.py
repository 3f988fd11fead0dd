# SPDX-License-Identifier: GPL-2.0-or-later
"""What `net plan` and `net restore` print, and what a person is told of an error."""

import socket as sockets
from collections.abc import Iterator
from pathlib import Path

import pytest

from vdsm_contract.errors import (
    Busy,
    ContractError,
    NetworkChangeFailed,
    NetworkConfigError,
    PeerRefused,
    SupervdsmDied,
)
from vdsm_contract.types import NetworkPlan, ReducedBond, RestoreReport
from vdsm_tool.commands.net import plan_lines, restore_lines
from vdsm_tool.errors import ToolError
from vdsm_tool.net import ask


@pytest.mark.parametrize(
    ("operations", "expected"),
    [
        (["create bridge red", "set red up"], ["create bridge red", "set red up"]),
        ([], ["nothing to do: the network is as asked"]),
    ],
)
def test_a_plan_is_one_line_for_each_operation(operations: list[str], expected: list[str]) -> None:
    assert plan_lines(NetworkPlan(operations)) == expected


@pytest.mark.parametrize(
    ("report", "expected"),
    [
        (
            RestoreReport(
                skipped=False,
                restored=["red", "bond0"],
                dropped={"old": "no eth9"},
                reduced=[ReducedBond("bond0", ["eth2", "eth3"])],
            ),
            ["restored red", "restored bond0 without eth2, eth3", "dropped old: no eth9"],
        ),
        (
            RestoreReport(skipped=False, restored=[], dropped={}, reduced=[]),
            ["there is nothing to restore"],
        ),
        (
            RestoreReport(skipped=True, restored=[], dropped={}, reduced=[]),
            ["this boot has restored its networks already; --force does it again"],
        ),
    ],
)
def test_a_restore_says_what_came_back_and_what_did_not(
    report: RestoreReport, expected: list[str]
) -> None:
    assert restore_lines(report) == expected


@pytest.fixture
def socket(tmp_path: Path) -> Iterator[Path]:
    """A socket that nobody serves."""
    with sockets.socket(sockets.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "s"))
        yield tmp_path / "s"


@pytest.mark.parametrize(
    ("error", "sentence", "status"),
    [
        (
            NetworkConfigError(26, "networks.red.vlan", "5000 is above 4094"),
            "networks.red.vlan: 5000 is above 4094 (code 26)",
            1,
        ),
        (Busy("network"), "Another network change is under way", 1),
        (
            NetworkChangeFailed("create bridge red", 17, "File exists", rolledBack=True),
            "Failed to create bridge red: File exists; the network is as it was",
            1,
        ),
        (PeerRefused("uid 1000"), "supervdsm refuses this process: uid 1000", 2),
        (
            SupervdsmDied(),
            "supervdsm died during the call; its outcome is unknown, and it was not made again",
            1,
        ),
    ],
)
def test_an_error_of_supervdsm_is_one_sentence(
    socket: Path, error: ContractError, sentence: str, status: int
) -> None:
    with pytest.raises(ToolError) as caught, ask.network(socket):
        raise error
    assert (caught.value.sentence, caught.value.status) == (sentence, status)


def test_without_a_socket_nobody_waits(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="there is no socket"), ask.network(tmp_path / "none"):
        pytest.fail("entered")
