# SPDX-License-Identifier: GPL-2.0-or-later
"""Storage tasks that an upgrade would end: told, and waited for as long as the operator wants."""

import pytest

from vdsm_tool.errors import ToolError
from vdsm_tool.host import Host
from vdsm_tool.upgrade import tasks

INFOS = {"t1": {"verb": "copyImage"}, "t2": {"verb": "deleteImage"}}
STATUSES = {
    "t1": {"taskState": "running"},
    "t2": {"taskState": "finished", "taskResult": "success"},
    "t3": {"taskState": "aborting"},
}
JOBS = {
    "j1": {"description": "merge_subchain", "status": "pending"},
    "j2": {"description": "copy_data", "status": "done"},
    "j3": {"description": "copy_data", "status": "failed"},
}


def test_what_has_ended_is_not_in_flight() -> None:
    assert tasks.in_flight(INFOS, STATUSES, JOBS) == [
        "task t1 (copyImage), running",
        "task t3 (unknown), aborting",
        "job j1 (merge_subchain), pending",
    ]


@pytest.mark.parametrize("answer", [None, [], {"t": None}, {"t": {"verb": 1}}])
def test_a_vdsm_of_another_release_may_answer_anything(answer: object) -> None:
    tasks.in_flight(answer, answer, answer)


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What is found, one look after the other; a look more is a failure."""
    found: list[list[str]] = []

    def read(_host: Host) -> list[str]:
        return found.pop(0)

    monkeypatch.setattr(tasks, "read", read)
    return found


def settle(host: Host, seconds: float) -> list[str]:
    told: list[str] = []
    tasks.settle(host, told.append, seconds)
    return told


def test_where_nothing_runs_nothing_is_said(host: Host, looks: list[list[str]]) -> None:
    looks += [[]]
    assert settle(host, 0) == []


def test_without_a_wait_they_are_told_once(host: Host, looks: list[list[str]]) -> None:
    looks += [["task t1"]]
    assert settle(host, 0) == [
        "Runs in vdsm: task t1",
        "1 of them end with this vdsm: docs/upgrade.md says what follows",
    ]


@pytest.mark.usefixtures("quick")
def test_they_are_waited_for_until_they_have_ended(host: Host, looks: list[list[str]]) -> None:
    looks += [["task t1", "job j1"], ["job j1"], []]
    assert settle(host, 60) == [
        "Runs in vdsm: task t1",
        "Runs in vdsm: job j1",
        "Waiting for them, 60 s at most",
        "All storage tasks have ended",
    ]


@pytest.mark.usefixtures("quick")
def test_the_wait_has_an_end(host: Host, looks: list[list[str]]) -> None:
    looks += [["task t1"]] * 6
    told = settle(host, 5)
    assert looks == []
    assert told[-1].startswith("1 of them end with this vdsm")


def test_a_vdsm_that_does_not_say_is_no_reason_to_keep_it(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(_host: Host) -> list[str]:
        raise ToolError("vdsm: no answer")

    monkeypatch.setattr(tasks, "read", read)
    assert settle(host, 60) == ["It is not known which storage tasks run: vdsm: no answer"]
