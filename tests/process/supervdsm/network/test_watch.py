# SPDX-License-Identifier: GPL-2.0-or-later
"""WatchLinks in the real daemon: who waits there holds up nobody."""

import signal
from concurrent.futures import ThreadPoolExecutor

from process.conftest import Manager
from vdsm_contract.proxy import Supervdsm
from vdsm_contract.types import LinkChanges

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
