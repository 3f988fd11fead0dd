# SPDX-License-Identifier: GPL-2.0-or-later
"""Events: JSON-RPC notifications that vdsm sends to whoever subscribed to `jms.queue.events`.

`publish` may be called from any thread. Before the server is bound to it, and for nobody who
listens, an event is dropped: the engine reads the current state when it connects, so that a
queue of old events would only tell it what is no longer so.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import msgspec

from vdsm.jsonrpc.errors import JSON

QUEUE = "jms.queue.events"


class Events:
    """Where verbs and monitors publish, and the server takes from."""

    def __init__(self) -> None:
        self._sink: Callable[[bytes], None] | None = None

    def bind(self, sink: Callable[[bytes], None] | None) -> None:
        """Sets where encoded notifications go; `sink` is called on the publisher's thread."""
        self._sink = sink

    def publish(self, event_id: str, params: Mapping[str, JSON]) -> None:
        """Sends one event, for example `|virt|VM_status|<vmId>`, to every subscriber.

        `notify_time` (milliseconds of the monotonic clock, as the engine orders events by it) is
        added. Raises TypeError when `params` is not JSON.
        """
        body = {
            "jsonrpc": "2.0",
            "method": event_id,
            "params": {**params, "notify_time": time.monotonic_ns() // 1_000_000},
        }
        encoded = msgspec.json.encode(body)
        sink = self._sink
        if sink is not None:
            sink(encoded)
