# SPDX-License-Identifier: GPL-2.0-or-later
"""The calls in flight, and the reaper that answers TimedOut for those that outlive their limit.

A function that is stuck (in the kernel, on a dead server) cannot be stopped from outside. Its
caller still gets an answer in time; the function keeps its thread and its lock until it ends.
"""

import threading
import time
from typing import Final, Protocol

import msgspec

from supervdsm.common.call import ServedCall
from vdsm_contract import systemd

_SCAN_SECONDS: Final = 0.25
_SLACK_SECONDS: Final = 0.5
"""What a function may take beyond its limit to end by itself: killing a child, unwinding a
stage."""


class Waiting(Protocol):
    """Who waits for an answer: a session, as the reaper sees it."""

    def expire(self, call: ServedCall, *, oneway: bool) -> None:
        """Answer that the call's limit has passed, and end the connection; without waiting."""


class InFlight(msgspec.Struct, eq=False):
    """A call being served. Whoever claims it first, its session or the reaper, answers it."""

    call: ServedCall
    flow_id: str
    waiting: Waiting
    oneway: bool
    claimed: bool = False

    @property
    def overdue(self) -> bool:
        """Whether its limit has passed."""
        return time.monotonic() > self.call.deadline + _SLACK_SECONDS


class CallRegistry:
    """Counts calls and knows those in flight. One lock guards it, and is never held for long."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._in_flight: set[InFlight] = set()
        self.calls = 0
        self.failures = 0

    def begin(self, in_flight: InFlight) -> None:
        """Count a call, which is in flight from now on."""
        with self._lock:
            self.calls += 1
            self._in_flight.add(in_flight)

    def end(self, in_flight: InFlight, *, failed: bool) -> bool:
        """Count a call as no longer in flight; return whether its session is to answer it.

        Waits while the reaper answers: the session would close the descriptor that is written to.
        """
        with self._lock:
            self._in_flight.discard(in_flight)
            self.failures += failed
            return not in_flight.claimed

    def refused(self) -> None:
        """Count a call that never was in flight, as its arguments are wrong."""
        with self._lock:
            self.calls += 1
            self.failures += 1

    def snapshot(self) -> list[InFlight]:
        """Return the calls that are in flight now."""
        with self._lock:
            return list(self._in_flight)

    def reap(self) -> None:
        """Answer the overdue calls, each once, in their sessions' stead."""
        for in_flight in self.snapshot():
            if in_flight.overdue and not in_flight.claimed:
                with self._lock:
                    if in_flight in self._in_flight:
                        in_flight.claimed = True
                        in_flight.waiting.expire(in_flight.call, oneway=in_flight.oneway)

    def reap_forever(self, stop: threading.Event) -> None:
        """Answer overdue calls until `stop` is set, and write the audit's lines that wait."""
        while not stop.wait(_SCAN_SECONDS):
            self.reap()
            systemd.flush_log()
