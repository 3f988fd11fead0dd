# SPDX-License-Identifier: GPL-2.0-or-later
"""Calls in flight: the session and the reaper never answer, or end, a connection at once."""

import json
import socket
import threading
from collections.abc import Iterator

import pytest

from supervdsm.common.call import ServedCall
from supervdsm.server.calls import CallRegistry, InFlight
from supervdsm.server.dispatch import Dispatcher
from supervdsm.server.introspect import Introspection
from supervdsm.server.peer import PROBE
from supervdsm.server.session import Session
from supervdsm.server.table import Table
from vdsm_contract.errors import TimedOut
from vdsm_contract.wire import Channel

CALL = ServedCall("org.test.Verb", limit=1.0, deadline=0.0)


class Unfinished(Channel):
    """A connection that is not ended yet: what a peer can see just before that."""

    def shutdown(self) -> None:
        return


@pytest.fixture
def pair() -> Iterator[tuple[Session, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        dispatcher = Dispatcher(table=Table(), fail=lambda _id: None)
        yield Session(Unfinished(ours), PROBE, dispatcher, Introspection({})), theirs


def test_who_reads_a_reaper_s_answer_can_send_no_more(
    pair: tuple[Session, socket.socket],
) -> None:
    session, peer = pair
    session.expire(CALL, oneway=False)
    answer = json.loads(peer.recv(100).rstrip(b"\0"))
    assert answer == {"error": TimedOut.name, "parameters": {"limit": 1.0}}
    with pytest.raises(BrokenPipeError):  # so the next call goes elsewhere; it is not lost
        peer.send(b"next\0")


def test_a_oneway_call_gets_no_answer_from_the_reaper(
    pair: tuple[Session, socket.socket],
) -> None:
    session, peer = pair
    session.expire(CALL, oneway=True)
    peer.setblocking(False)
    with pytest.raises(BlockingIOError):
        peer.recv(100)


class Expired:
    """A caller that is answered when it is let go on; it notes how often."""

    def __init__(self) -> None:
        self.answering, self.go_on = threading.Event(), threading.Event()
        self.answers = 0

    def expire(self, call: ServedCall, *, oneway: bool) -> None:
        self.answers += 1
        self.answering.set()
        assert self.go_on.wait(5)


def test_a_session_does_not_end_while_the_reaper_answers_for_it() -> None:
    caller, registry = Expired(), CallRegistry()
    in_flight = InFlight(CALL, "", caller, oneway=False)
    registry.begin(in_flight)
    reaper = threading.Thread(target=registry.reap)
    reaper.start()
    assert caller.answering.wait(5)
    to_answer: list[bool] = []
    session = threading.Thread(
        target=lambda: to_answer.append(registry.end(in_flight, failed=False))
    )
    session.start()
    session.join(0.2)
    assert session.is_alive()
    caller.go_on.set()
    session.join(5)
    reaper.join(5)
    assert to_answer == [False]


def test_the_reaper_answers_once_and_never_after_the_session() -> None:
    caller, registry = Expired(), CallRegistry()
    caller.go_on.set()
    stuck, ended = (InFlight(CALL, "", caller, oneway=False) for _ in range(2))
    registry.begin(stuck)
    registry.begin(ended)
    assert registry.end(ended, failed=True)
    registry.reap()
    registry.reap()
    assert caller.answers == 1
    assert [one.overdue for one in registry.snapshot()] == [True]
    assert not registry.end(stuck, failed=False)
    assert (registry.calls, registry.failures, registry.snapshot()) == (2, 1, [])
