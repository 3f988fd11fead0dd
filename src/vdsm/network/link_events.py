# SPDX-License-Identifier: GPL-2.0-or-later
"""The event `|net|host_conn|no_id`: a NIC, bond or VLAN of a network went up or down.

The thread here asks supervdsm, in calls that wait there for the next change. The event says nothing
but that something changed, as oVirt's does: an engine answers it with Host.getCapabilities. That
costs more than the event, so that many changes within a second become one.
"""

from __future__ import annotations

import logging
import threading
import time
from types import TracebackType
from typing import Self

from vdsm.jsonrpc.events import Events
from vdsm_contract.errors import ContractError
from vdsm_contract.interfaces import Network
from vdsm_contract.types import LinkChange

log = logging.getLogger(__name__)

EVENT = "|net|host_conn|no_id"
PAUSE_S = 1.0  # from one question to the next, at least
_LONGEST_S = 30.0  # between two attempts while supervdsm cannot be asked


class LinkEvents:
    """Publishes changes of links, from when it is entered until it is left."""

    def __init__(self, network: Network, events: Events, pause: float = PAUSE_S) -> None:
        self._network = network
        self._events = events
        self._pause = pause
        self._stop = threading.Event()
        self._cursor = ""
        self._failures = 0
        self._thread = threading.Thread(target=self._run, name="link events", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # Not joined: the call that is under way may wait in supervdsm for half a minute.
        self._stop.set()

    def _run(self) -> None:
        wait = 0.0
        while not self._stop.wait(wait):
            asked = time.monotonic()
            try:
                self._ask()
            except ContractError as error:
                self._failed(error)
            except Exception:  # a defect, which must not end the events for good
                self._failures += 1
                log.exception("Failed to watch the links")
            wait = max(asked + self._gap() - time.monotonic(), 0.0)

    def _gap(self) -> float:
        """Seconds from the last question to the next: twice as many after each failure."""
        return min(self._pause * 2.0 ** min(max(self._failures - 1, 0), 16), _LONGEST_S)

    def _ask(self) -> None:
        before, after = self._cursor, self._network.watch_links(self._cursor)
        if self._failures:
            log.info("The links are watched again")
        self._failures, self._cursor = 0, after.cursor
        if self._stop.is_set():
            return
        # Nothing can be lost before the first answer: an engine reads all when it connects.
        if after.changes or (after.lost and before):
            log.info("Links changed: %s", _summary(after.changes))
            self._events.publish(EVENT, {})

    def _failed(self, error: ContractError) -> None:
        if not self._failures:
            log.warning("The links cannot be watched: %s", error)
        # The cursor stays: if supervdsm is another one by then, it says that changes were lost.
        self._failures += 1


def _summary(changes: list[LinkChange]) -> str:
    words = [f"{change.device} {change.state}" for change in changes[:8]]
    more = len(changes) - len(words)
    return ", ".join([*words, *([f"and {more} more"] if more else [])]) or "unknown ones"
