# SPDX-License-Identifier: GPL-2.0-or-later
"""Calls in flight: the session and the reaper never answer, or end, a connection at once."""

import socket
import threading
from collections.abc import Iterator

import pytest

from supervdsm.common.call import ServedCall
from supervdsm.server.calls import InFlight
from supervdsm.server.dispatch import Dispatcher
from supervdsm.server.introspect import Introspection
from supervdsm.server.peer import PROBE
from supervdsm.server.session import Session
from vdsm_contract.wire import Channel, Request

CALL = ServedCall("org.test.Verb", limit=1.0, deadline=0.0)


class Unfinished(Channel):
    """A connection that is not ended yet: what a peer can see just before that."""

    def shutdown(self) -> None:
        return


@pytest.fixture
def pair() -> Iterator[tuple[Session, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        dispatcher = Dispatcher(table={}, fail=lambda _id: None)
        yield Session(Unfinished(ours), PROBE, dispatcher, Introspection({})), theirs


def test_who_reads_a_reaper_s_answer_can_send_no_more(
    pair: tuple[Session, socket.socket],
) -> None:
    session, peer = pair
    session.expire(Request("org.test.Verb"), b"TimedOut\0")
    assert peer.recv(100) == b"TimedOut\0"
    with pytest.raises(BrokenPipeError):  # so the next call goes elsewhere; it is not lost
        peer.send(b"next\0")


def test_a_oneway_call_gets_no_answer_from_the_reaper(
    pair: tuple[Session, socket.socket],
) -> None:
    session, peer = pair
    session.expire(Request("org.test.Verb", oneway=True), b"TimedOut\0")
    peer.setblocking(False)
    with pytest.raises(BlockingIOError):
        peer.recv(100)


def test_a_session_does_not_end_while_the_reaper_answers_for_it() -> None:
    answering, go_on = threading.Event(), threading.Event()

    def answer(_call: ServedCall) -> None:
        answering.set()
        assert go_on.wait(5)

    in_flight = InFlight(CALL, "", answer)
    reaper = threading.Thread(target=in_flight.expire)
    reaper.start()
    assert answering.wait(5)
    claims: list[bool] = []
    session = threading.Thread(target=lambda: claims.append(in_flight.claim()))
    session.start()
    session.join(0.2)
    assert session.is_alive()
    go_on.set()
    session.join(5)
    reaper.join(5)
    assert claims == [False]
