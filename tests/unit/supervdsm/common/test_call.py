# SPDX-License-Identifier: GPL-2.0-or-later
"""A call that only waits: for news, for its time, and for as long as somebody waits for it."""

import os
import socket
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait

import pytest

from supervdsm.common import call
from supervdsm.common.call import ServedCall

LONG = 60.0


@pytest.fixture
def bell() -> Iterator[int]:
    made = os.eventfd(0)
    yield made
    os.close(made)


def served(ours: socket.socket) -> ServedCall:
    return ServedCall("org.test.Verb", limit=LONG, deadline=0.0, caller=ours)


def waiting(pool: ThreadPoolExecutor, ours: socket.socket, bell: int) -> "Future[None]":
    """Wait in a thread that serves a call."""

    def verb() -> None:
        token = call.bind(served(ours))
        try:
            call.wait_readable(bell, LONG)
        finally:
            call.unbind(token)

    return pool.submit(verb)


def test_news_end_the_wait(
    pair: tuple[socket.socket, socket.socket], bell: int, pool: ThreadPoolExecutor
) -> None:
    waits = waiting(pool, pair[0], bell)
    os.eventfd_write(bell, 1)
    waits.result(LONG / 2)


def test_a_caller_that_hangs_up_ends_the_wait(
    pair: tuple[socket.socket, socket.socket], bell: int, pool: ThreadPoolExecutor
) -> None:
    waits = waiting(pool, pair[0], bell)
    pair[1].close()
    waits.result(LONG / 2)


def test_a_caller_that_sends_more_or_no_more_is_still_there(
    pair: tuple[socket.socket, socket.socket], bell: int, pool: ThreadPoolExecutor
) -> None:
    ours, theirs = pair
    waits = waiting(pool, ours, bell)
    theirs.send(b"the next call")
    theirs.shutdown(socket.SHUT_WR)
    ours.shutdown(socket.SHUT_RD)  # what a drain does
    assert not wait([waits], 0.1).done
    assert not served(ours).abandoned
    theirs.close()
    assert served(ours).abandoned
    waits.result(LONG / 2)


def test_outside_of_a_call_the_time_ends_the_wait(bell: int) -> None:
    call.wait_readable(bell, 0.01)
    assert not ServedCall("org.test.Verb", LONG, 0.0).abandoned
