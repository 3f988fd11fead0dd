# SPDX-License-Identifier: GPL-2.0-or-later
"""Workers that the kernel holds: a real file system whose server is dead, and comes back."""

from pathlib import Path
from typing import Any

import pytest

from storage.scenario import what_it_saw


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    directory = tmp_path_factory.mktemp("dead")
    return what_it_saw(Path(__file__).with_name("dead_scenario.py"), directory)


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
