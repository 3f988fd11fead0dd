# SPDX-License-Identifier: GPL-2.0-or-later
"""When a client was last seen."""

import threading

from vdsm.host.clients import ClientWatch


def test_nobody_was_seen_at_first() -> None:
    watch = ClientWatch(clock=lambda: 5.0)
    assert watch.last is None
    assert not watch.wait(since=0.0, timeout=0.0)


def test_a_client_is_seen() -> None:
    watch = ClientWatch(clock=lambda: 5.0)
    watch.seen()
    assert watch.last == 5.0
    assert watch.wait(since=5.0, timeout=0.0)
    assert not watch.wait(since=5.1, timeout=0.0)


def test_who_waits_is_woken() -> None:
    watch = ClientWatch()
    found: list[bool] = []
    waiting = threading.Thread(target=lambda: found.append(watch.wait(since=0.0, timeout=30)))
    waiting.start()
    watch.seen()
    waiting.join(10)
    assert found == [True]
