# SPDX-License-Identifier: GPL-2.0-or-later
"""When a client of the API last showed that it can reach this host."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class ClientWatch:
    """Remembers when a client was last seen; a network change waits for it. For any thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._changed = threading.Condition()
        self._last: float | None = None

    @property
    def last(self) -> float | None:
        """When a client was last seen, on the monotonic clock; None when there was none yet."""
        with self._changed:
            return self._last

    def seen(self) -> None:
        """Says that a client was here just now."""
        with self._changed:
            self._last = self._clock()
            self._changed.notify_all()

    def wait(self, since: float, timeout: float) -> bool:
        """Waits up to `timeout` seconds for a client at or after `since`; whether one came."""
        with self._changed:
            return self._changed.wait_for(
                lambda: self._last is not None and self._last >= since, timeout
            )
