# SPDX-License-Identifier: GPL-2.0-or-later
"""The event of a link: when it is sent, and what it outlives."""

import json
import logging
import queue
import threading
from typing import TypeAlias

import pytest

from vdsm.jsonrpc.events import Events
from vdsm.network.link_events import EVENT, LinkEvents
from vdsm_contract.errors import ContractError, SupervdsmDied
from vdsm_contract.interfaces import Network
from vdsm_contract.types import LinkChange, LinkChanges

Answer: TypeAlias = LinkChanges | ContractError | ZeroDivisionError

UP = LinkChange("eth0", "nic", "up", ["ovirtmgmt"], 1.0)


def quiet(cursor: str) -> LinkChanges:
    return LinkChanges(cursor, [], lost=False)


class Watcher(Network):
    """A supervdsm that gives the answers of a list, in their order, and then waits."""

    def __init__(self, *answers: Answer) -> None:
        self._answers = list(answers)
        self.cursors: list[str] = []
        self.idle = threading.Event()
        self.more: queue.Queue[Answer] = queue.Queue()

    def watch_links(self, cursor: str = "") -> LinkChanges:
        self.cursors.append(cursor)
        if self._answers:
            answer = self._answers.pop(0)
        else:
            self.idle.set()
            answer = self.more.get(timeout=20)
        if isinstance(answer, Exception):
            raise answer
        return answer


class Sink:
    """What is sent to the event queue."""

    def __init__(self) -> None:
        self.sent: list[dict[str, object]] = []
        self.events = Events()
        self.events.bind(lambda data: self.sent.append(json.loads(data)))


def watched(watcher: Watcher) -> Sink:
    """What was sent until `watcher` had nothing more to say."""
    sink = Sink()
    with LinkEvents(watcher, sink.events, pause=0.001):
        assert watcher.idle.wait(20)
    return sink


def test_a_change_is_one_event_that_says_when_and_nothing_else() -> None:
    watcher = Watcher(quiet("1"), LinkChanges("2", [UP], lost=False))
    (event,) = watched(watcher).sent
    assert event["method"] == EVENT == "|net|host_conn|no_id"
    params = event["params"]
    assert isinstance(params, dict)
    assert set(params) == {"notify_time"}
    assert "id" not in event
    assert watcher.cursors == ["", "1", "2"]


def test_changes_of_one_answer_are_one_event() -> None:
    down = LinkChange("bond0", "bond", "down", [], 2.0)
    assert len(watched(Watcher(quiet("1"), LinkChanges("3", [UP, down], lost=False))).sent) == 1


def test_nothing_new_is_no_event() -> None:
    assert watched(Watcher(quiet("1"), quiet("1"), quiet("1"))).sent == []


def test_what_was_lost_is_an_event_but_not_at_the_start() -> None:
    lost = LinkChanges("7", [], lost=True)
    assert watched(Watcher(lost)).sent == []
    assert len(watched(Watcher(quiet("1"), lost)).sent) == 1


def test_supervdsm_s_death_is_outlived_with_the_same_cursor(
    caplog: pytest.LogCaptureFixture,
) -> None:
    watcher = Watcher(quiet("1"), SupervdsmDied(), SupervdsmDied(), LinkChanges("9", [], lost=True))
    with caplog.at_level(logging.INFO):
        assert len(watched(watcher).sent) == 1
    assert watcher.cursors == ["", "1", "1", "1", "9"]
    assert caplog.text.count("cannot be watched") == 1
    assert caplog.text.count("watched again") == 1


def test_a_defect_is_outlived() -> None:
    assert len(watched(Watcher(ZeroDivisionError(), LinkChanges("2", [UP], lost=False))).sent) == 1


def test_an_answer_that_comes_after_the_end_is_not_sent() -> None:
    sink, watcher = Sink(), Watcher()
    with LinkEvents(watcher, sink.events, pause=0.001) as events:
        assert watcher.idle.wait(20)
    watcher.more.put(LinkChanges("2", [UP], lost=False))
    events._thread.join(20)
    assert not events._thread.is_alive()
    assert sink.sent == []


def test_the_gap_between_two_questions_grows_with_failures_up_to_half_a_minute() -> None:
    events = LinkEvents(Watcher(), Events(), pause=1.0)
    gaps = []
    for failures in (0, 1, 2, 3, 7, 10_000):
        events._failures = failures
        gaps.append(events._gap())
    assert gaps == [1.0, 1.0, 2.0, 4.0, 30.0, 30.0]
