# SPDX-License-Identifier: GPL-2.0-or-later
"""Workers that the kernel holds: a real file system whose server is dead, and comes back."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

_ROOT = Path(__file__).parents[4]
_SCENARIO = Path(__file__).with_name("dead_scenario.py")


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the scenario saw, in a mount namespace of its own."""
    if os.geteuid() != 0:
        pytest.skip("needs root to mount")
    directory = tmp_path_factory.mktemp("dead")
    ran = subprocess.run(
        ["unshare", "--mount", "--propagation", "private", sys.executable, _SCENARIO, directory],
        env={**os.environ, "PYTHONPATH": f"{_ROOT / 'src'}:{_ROOT / 'tests'}"},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    result: dict[str, Any] = json.loads(ran.stdout)
    return result


def test_calls_end_though_their_workers_cannot(seen: dict[str, Any]) -> None:
    assert seen["before"] == "listed"
    assert len(seen["said"]) == 3
    assert all("names did not end within 2 s" in text for text in seen["said"])
    assert seen["ended after"] < 30
    assert seen["states"] == ["D", "D", "D"]


def test_another_root_is_not_slowed_down(seen: dict[str, Any]) -> None:
    assert seen["slower"] < 3


def test_when_many_hang_nothing_more_is_tried(seen: dict[str, Any]) -> None:
    assert all("3 operations hang" in text for text in seen["at once"])
    assert seen["at once took"] < 10


def test_all_is_well_when_the_server_is_back(seen: dict[str, Any]) -> None:
    assert seen["left"] == []
    assert seen["after"] == "listed"


def test_dropping_a_dead_root_waits_for_nobody(seen: dict[str, Any]) -> None:
    assert "in the middle of names" in seen["dropped"]
    assert seen["drop took"] < 1.0
