# SPDX-License-Identifier: GPL-2.0-or-later
"""The calls in flight, and the reaper that answers TimedOut for those that outlive their limit.

A function that is stuck (in the kernel, on a dead server) cannot be stopped from outside. Its
caller still gets an answer in time; the function keeps its thread and its lock until it ends.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from supervdsm.common.call import ServedCall

_SCAN_SECONDS: Final = 0.25
_SLACK_SECONDS: Final = 0.5
"""What a function may take beyond its limit to end by itself: killing a child, unwinding a
stage."""


class InFlight:
    """A call being served. Whoever claims it first, its session or the reaper, answers it."""

    def __init__(
        self, call: ServedCall, flow_id: str, expire: Callable[[ServedCall], None]
    ) -> None:
        self.call = call
        self.flow_id = flow_id
        self._expire = expire
        self._lock = threading.Lock()
        self._claimed = False

    def claim(self) -> bool:
        """Return True to the first caller only. Waits while the reaper answers."""
        with self._lock:
            first, self._claimed = not self._claimed, True
            return first

    @property
    def overdue(self) -> bool:
        """Whether its limit has passed."""
        return time.monotonic() > self.call.deadline + _SLACK_SECONDS

    def expire(self) -> None:
        """Answer in the session's stead, if it has not.

        The session does not go on before that is done: it would close the descriptor that is
        written to.
        """
        with self._lock:
            if not self._claimed:
                self._claimed = True
                self._expire(self.call)


class CallRegistry:
    """Counts calls and knows those in flight."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._in_flight: set[InFlight] = set()
        self.calls = 0
        self.failures = 0

    @contextmanager
    def track(self, in_flight: InFlight) -> Iterator[None]:
        """Count a call as in flight until the block ends."""
        with self._lock:
            self._in_flight.add(in_flight)
            self.calls += 1
        try:
            yield
        finally:
            with self._lock:
                self._in_flight.discard(in_flight)

    def count_failure(self) -> None:
        """Count a call that was answered with an error."""
        with self._lock:
            self.failures += 1

    def snapshot(self) -> list[InFlight]:
        """Return the calls that are in flight now."""
        with self._lock:
            return list(self._in_flight)

    def reap_forever(self, stop: threading.Event) -> None:
        """Answer overdue calls until `stop` is set."""
        while not stop.wait(_SCAN_SECONDS):
            for in_flight in self.snapshot():
                if in_flight.overdue:
                    in_flight.expire()
