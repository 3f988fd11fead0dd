# SPDX-License-Identifier: GPL-2.0-or-later
"""WatchLinks in the real daemon: who waits there holds up nobody, and nobody waits for the dead."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

from process.conftest import PYTHONPATH, Manager
from vdsm_contract.interfaces import Network, Service
from vdsm_contract.limits import CONNECTIONS_PER_UID
from vdsm_contract.proxy import Supervdsm
from vdsm_contract.types import LinkChanges
from vdsm_contract.version import CONTRACT_VERSION
from vdsm_contract.wire import Channel, OutgoingRequest, encode

WAITERS = 4


def test_a_drain_does_not_wait_for_those_who_watch(manager: Manager, supervdsm: Supervdsm) -> None:
    cursor = supervdsm.network.watch_links().cursor
    with ThreadPoolExecutor(WAITERS) as pool:
        calls = [pool.submit(supervdsm.network.watch_links, cursor) for _ in range(WAITERS)]
        manager.wait(lambda: supervdsm.service.health().inFlight > WAITERS)
        health = supervdsm.service.health()
        assert health.overdue == []
        assert not any(call.done() for call in calls)
        manager.kill(signal.SIGTERM)
        for call in calls:
            assert call.result(timeout=20) == LinkChanges(cursor=cursor, changes=[], lost=False)
    manager.wait(lambda: manager.exits == [0])
    assert "left behind" not in manager.log.read_text()


def test_the_next_supervdsm_knows_the_cursor_of_the_last_one_for_a_strangers(
    manager: Manager, supervdsm: Supervdsm
) -> None:
    cursor = supervdsm.network.watch_links().cursor
    manager.kill()
    manager.ready(times=2)
    news = supervdsm.network.watch_links(cursor)
    assert (news.changes, news.lost) == ([], True)
    assert news.cursor != cursor


WATCH = """
import sys
from pathlib import Path
from vdsm_contract.proxy import Supervdsm
Supervdsm(Path(sys.argv[1])).network.watch_links(sys.argv[2])
"""


def test_a_dead_caller_s_call_ends_at_once(manager: Manager, supervdsm: Supervdsm) -> None:
    cursor = supervdsm.network.watch_links().cursor
    idle = supervdsm.service.health().connections
    vdsm = subprocess.Popen(
        [sys.executable, "-c", WATCH, str(manager.path), cursor],
        env={**os.environ, "PYTHONPATH": PYTHONPATH},
    )
    manager.wait(lambda: supervdsm.service.health().inFlight > 1)
    vdsm.kill()
    vdsm.wait()
    killed = time.monotonic()
    manager.wait(lambda: supervdsm.service.health().connections == idle)
    # It would have waited for half a minute.
    assert time.monotonic() - killed < 10
    manager.wait(lambda: supervdsm.service.health().inFlight == 1)


def test_callers_that_die_again_and_again_use_nothing_up(
    manager: Manager, supervdsm: Supervdsm
) -> None:
    cursor = supervdsm.network.watch_links().cursor
    for _ in range(200):
        with watching(manager, cursor):
            pass
    with ExitStack() as stack:  # as many as there may be, beside the proxy's
        for _ in range(CONNECTIONS_PER_UID // 2):
            stack.enter_context(watching(manager, cursor))
        waiting = CONNECTIONS_PER_UID // 2 + 1
        manager.wait(lambda: supervdsm.service.health().inFlight == waiting)
    assert "TooManyConnections" not in manager.log.read_text()


def test_who_sends_no_more_but_reads_is_still_told(manager: Manager, supervdsm: Supervdsm) -> None:
    cursor = supervdsm.network.watch_links().cursor
    with watching(manager, cursor) as channel:
        manager.wait(lambda: supervdsm.service.health().inFlight > 1)
        with socket.socket(fileno=os.dup(channel.fileno())) as same:
            same.shutdown(socket.SHUT_WR)
        manager.kill(signal.SIGTERM)
        assert cursor.encode() in channel.receive(20)


@contextmanager
def watching(manager: Manager, cursor: str) -> Iterator[Channel]:
    """Hold a connection by which WatchLinks was called; hang up at the end of the block."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(str(manager.path))
        channel = Channel(sock)
        hello, watch = Service.VERBS["hello"], Network.VERBS["watch_links"]
        channel.send(encode(OutgoingRequest(hello.method, hello.parameters(CONTRACT_VERSION))))
        answer = channel.receive(20)
        assert b"error" not in answer, answer
        channel.send(encode(OutgoingRequest(watch.method, watch.parameters(cursor))))
        yield channel
