# SPDX-License-Identifier: GPL-2.0-or-later
"""When a client of the API last showed that it can reach this host."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class ClientWatch:
    """Remembers when a client was last seen, and wakes who waits for that. For any thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._changed = threading.Condition()
        self._last: float | None = None
        self._stopped = False

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

    def stop(self) -> None:
        """Ends all waits, now and later."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def newer(self, than: float | None) -> float | None:
        """Waits until a client was seen after `than` (None: ever); returns when. None: stopped."""
        with self._changed:
            self._changed.wait_for(
                lambda: (
                    self._stopped
                    or (self._last is not None and (than is None or self._last > than))
                )
            )
            return None if self._stopped else self._last
