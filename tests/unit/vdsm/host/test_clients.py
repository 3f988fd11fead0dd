# SPDX-License-Identifier: GPL-2.0-or-later
"""When a client was last seen."""

import threading

from vdsm.host.clients import ClientWatch


def test_nobody_was_seen_at_first() -> None:
    assert ClientWatch(clock=lambda: 5.0).last is None


def test_a_client_is_seen() -> None:
    watch = ClientWatch(clock=lambda: 5.0)
    watch.seen()
    assert watch.last == 5.0
    assert watch.newer(None) == 5.0
    assert watch.newer(4.9) == 5.0


def test_who_waits_for_a_newer_one_is_woken() -> None:
    times = iter((5.0, 6.0))
    watch = ClientWatch(clock=lambda: next(times))
    watch.seen()
    found: list[float | None] = []
    waiting = threading.Thread(target=lambda: found.append(watch.newer(5.0)))
    waiting.start()
    watch.seen()
    waiting.join(10)
    assert found == [6.0]


def test_who_waits_is_let_go_when_it_stops() -> None:
    watch = ClientWatch()
    found: list[float | None] = []
    waiting = threading.Thread(target=lambda: found.append(watch.newer(None)))
    waiting.start()
    watch.stop()
    waiting.join(10)
    assert found == [None]
    watch.seen()
    assert watch.newer(None) is None
