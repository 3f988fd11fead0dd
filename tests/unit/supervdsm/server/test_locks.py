# SPDX-License-Identifier: GPL-2.0-or-later
"""Waiting for one's turn: until the limit, and for as long as there is somebody to serve."""

import socket
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack

import msgspec
import pytest

from supervdsm.common.call import ServedCall
from supervdsm.server.locks import LockTable
from vdsm_contract.declare import per_path
from vdsm_contract.errors import Busy

LOCK = per_path("path")
LONG = 60.0


class Parameters(msgspec.Struct):
    path: str = "/some/where"


def call(limit: float = LONG, caller: socket.socket | None = None) -> ServedCall:
    return ServedCall("org.test.Verb", limit, time.monotonic() + limit, caller)


def take(table: LockTable, one: ServedCall) -> bool:
    with table.held(LOCK, Parameters(), one):
        return True


def taking(
    table: LockTable, pool: ThreadPoolExecutor, caller: socket.socket | None
) -> "Future[bool]":
    """Take the lock in a thread, which waits for it when this returns."""
    users = next(iter(table._locks.values()))[1]
    future = pool.submit(take, table, call(caller=caller))
    while next(iter(table._locks.values()))[1] == users:
        time.sleep(0.001)
    return future


def test_it_is_the_next_one_s_turn_when_the_first_has_ended(
    pair: tuple[socket.socket, socket.socket], pool: ThreadPoolExecutor
) -> None:
    table = LockTable()
    with table.held(LOCK, Parameters(), call()):
        next_one = taking(table, pool, pair[0])
    assert next_one.result(LONG / 2)
    assert table._locks == {}


def test_a_call_whose_caller_has_gone_does_not_wait_on(
    pair: tuple[socket.socket, socket.socket], pool: ThreadPoolExecutor
) -> None:
    table = LockTable()
    with table.held(LOCK, Parameters(), call()):
        next_one = taking(table, pool, pair[0])
        pair[1].close()
        with pytest.raises(Busy):
            next_one.result(LONG / 2)
    assert table._locks == {}


def test_the_turn_of_a_dead_caller_is_nobody_s(
    pair: tuple[socket.socket, socket.socket], pool: ThreadPoolExecutor
) -> None:
    table = LockTable()
    with ExitStack() as first:
        first.enter_context(table.held(LOCK, Parameters(), call()))
        next_one = taking(table, pool, pair[0])
        pair[1].close()
        first.close()
        with pytest.raises(Busy):
            next_one.result(LONG / 2)
    assert take(table, call())


def test_a_oneway_call_waits_for_its_turn(pool: ThreadPoolExecutor) -> None:
    table = LockTable()
    with table.held(LOCK, Parameters(), call()):
        next_one = taking(table, pool, None)
    assert next_one.result(LONG / 2)


def test_nobody_waits_beyond_the_limit() -> None:
    table = LockTable()
    with table.held(LOCK, Parameters(), call()), pytest.raises(Busy):
        take(table, call(limit=0.05))
