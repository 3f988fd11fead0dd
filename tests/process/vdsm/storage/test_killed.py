# SPDX-License-Identifier: GPL-2.0-or-later
"""vdsm killed at any change of a file while it makes, copies or deletes a volume: the next SPM
finds the task and undoes or finishes it. No file is left over, and no volume is lost.

By default some of the places are tried, spread over all of them; VDSM_STORAGE_KILLS=all tries all,
and another number so many.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from faults.storage import (
    ADDED,
    BASE,
    BASED,
    CHAINED,
    CHILD,
    JOBS,
    LEAF,
    MIDDLE,
    NEW,
    SCENARIOS,
    SHARED,
    Lab,
)

_PLACES = os.environ.get("VDSM_STORAGE_KILLS", "54")


@dataclass(frozen=True)
class Effect:
    """What a scenario does when it is done: volumes that are there then, or are not any more."""

    added: frozenset[str] = frozenset()
    removed: frozenset[str] = frozenset()


_ADDED = Effect(added=frozenset({f"{NEW}/{ADDED}"}))
EFFECTS = {
    "create raw": _ADDED,
    "create preallocated": _ADDED,
    "create snapshot": Effect(added=frozenset({f"{CHAINED}/{ADDED}"})),
    "create from template": Effect(added=frozenset({f"{NEW}/{ADDED}", f"{NEW}/{SHARED}"})),
    "delete volume": Effect(removed=frozenset({f"{CHAINED}/{LEAF}"})),
    "delete image": Effect(removed=frozenset(f"{CHAINED}/{one}" for one in (BASE, MIDDLE, LEAF))),
    "delete image of template": Effect(
        removed=frozenset(f"{BASED}/{one}" for one in (SHARED, CHILD))
    ),
    "copy to raw": _ADDED,
    "copy to cow": _ADDED,
    "make raw": _ADDED,
    "make snapshot": Effect(added=frozenset({f"{CHAINED}/{ADDED}"})),
    "make from template": Effect(added=frozenset({f"{NEW}/{ADDED}", f"{NEW}/{SHARED}"})),
}


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    lab = Lab(tmp_path_factory.mktemp("killed"))
    yield lab
    lab.close()


def refuse_damage(lab: Lab, scenario: str, recovered: dict[str, Any], where: str) -> None:
    """The domain is whole, and as before the task or as after it."""
    effect, after = EFFECTS[scenario], recovered["volumes"]
    assert recovered["problems"] == [], where
    results = [task["taskResult"] for task in recovered["tasks"]]
    assert set(results) <= {"success", "cleanSuccess"}, (where, recovered["tasks"])
    lost = {name for name in lab.before if after.get(name) != lab.before[name]}
    added = after.keys() - lab.before.keys()
    undone = (lost, added) == (set(), set())
    done = (lost, added) == (effect.removed, effect.added)
    assert undone or done, (where, lost, added)
    if results == ["success"]:
        assert done, where
    if not results:
        assert undone, where


def places(steps: Sequence[str], at_most: int | None = None) -> list[int]:
    """Where something of these steps is killed: the last one, others spread evenly, and, unless
    `at_most`, while metadata is written."""
    if _PLACES == "all":
        return list(range(len(steps)))
    count = min(len(steps), at_most or max(2, int(_PLACES) // len(SCENARIOS)))
    spread = {(len(steps) - 1) * number // (count - 1) for number in range(count)}
    if at_most is None:
        spread |= {at + 1 for at, step in enumerate(steps) if ".meta.new" in step}
    return sorted(spread & set(range(len(steps))))


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_task_that_is_killed_anywhere_is_undone_or_finished(lab: Lab, scenario: str) -> None:
    whole = lab.kill(scenario, None)
    assert whole["status"]["taskResult"] == "success", whole
    recovered = lab.recover()
    refuse_damage(lab, scenario, recovered, "not killed")
    assert [task["taskResult"] for task in recovered["tasks"]] == ["success"]
    for at in places(whole["steps"]):
        killed = lab.kill(scenario, at)
        assert killed["killed"], (scenario, at)
        where = f"{scenario}: killed before {killed['killed']} ({at} of {len(whole['steps'])})"
        refuse_damage(lab, scenario, lab.recover(), where)


@pytest.mark.parametrize("scenario", ["create from template", "delete image", "copy to cow"])
def test_one_whose_recovery_is_killed_too_is_recovered_by_the_next(lab: Lab, scenario: str) -> None:
    steps = lab.kill(scenario, None)["steps"]
    late = len(steps) * 3 // 4
    lab.kill(scenario, late)
    for at in places(lab.recover()["steps"], 4):
        first = lab.kill(scenario, late)
        second = lab.recover(at)
        where = f"{scenario}: killed before {first['killed']} and {second['killed']} ({late}, {at})"
        refuse_damage(lab, scenario, lab.recover(), where)


@pytest.mark.parametrize("scenario", JOBS)
def test_a_job_that_is_killed_anywhere_can_be_done_again(lab: Lab, scenario: str) -> None:
    """No SPM knows of it: what it left is no volume, and is removed by the next one that makes the
    same volume, even when that was killed, too."""
    effect = EFFECTS[scenario].added
    whole = lab.kill(scenario, None)
    assert whole["status"] == "done"
    for at in places(whole["steps"]):
        killed = lab.kill(scenario, at)
        where = f"{scenario}: killed before {killed['killed']} ({at} of {len(whole['steps'])})"
        left = lab.recover()
        made = effect <= left["volumes"].keys() and not left["problems"]
        killed_again = lab.again(scenario, at // 2)["killed"]
        status = lab.again(scenario)["status"]
        assert status == ("failed" if made or not killed_again else "done"), where
        recovered = lab.recover()
        assert recovered["problems"] == [], where
        assert recovered["volumes"].keys() - lab.before.keys() == effect, where
        assert {name: recovered["volumes"][name] for name in lab.before} == lab.before, where


def test_the_same_with_worker_processes(lab: Lab) -> None:
    scenario = "create snapshot"
    steps = lab.kill(scenario, None, level="operations")["steps"]
    for at in places(steps, 4):
        killed = lab.kill(scenario, at, level="operations")
        where = f"{scenario}: killed before {killed['killed']} ({at} of {len(steps)})"
        refuse_damage(lab, scenario, lab.recover(), where)
