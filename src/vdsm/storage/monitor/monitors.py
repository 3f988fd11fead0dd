# SPDX-License-Identifier: GPL-2.0-or-later
"""All monitors of this host: one thread for each domain, so that a dead one holds up no other."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack

from vdsm.jsonrpc.errors import JSON
from vdsm.storage import errors
from vdsm.storage.keyed_lock import KeyedLock
from vdsm.storage.model import MAX_DOMAINS_IN_POOL
from vdsm.storage.monitor.watch import Watch
from vdsm.storage.protocols import Domains

log = logging.getLogger(__name__)


class DomainMonitors:
    """Keeps the protocol `Monitors`. `interval_s` is between two looks at a domain, in seconds."""

    def __init__(self, domains: Domains, interval_s: float = 10.0) -> None:
        self._domains = domains
        self._interval_s = interval_s
        self._guard = threading.Lock()
        self._watches: dict[str, Watch] = {}
        self._changing = KeyedLock()  # by domain: one that is being stopped is not started

    def start(self, domain: str, host_id: int, *, pool: bool) -> None:
        """Raises TooManyDomainsInPool when as many are watched as one pool may have."""
        with self._changing.holding(domain), self._guard:
            watch = self._watches.get(domain)
            if watch is not None:
                watch.pool |= pool
                return
            if len(self._watches) >= MAX_DOMAINS_IN_POOL:
                raise errors.TooManyDomainsInPool(f"{len(self._watches)} are watched")
            log.info("Domain %s is watched from now on", domain)
            self._watches[domain] = Watch(
                self._domains, domain, host_id, pool=pool, interval_s=self._interval_s
            )

    def stop(self, domains: Sequence[str]) -> None:
        """Waits until the host ids are released: for a domain that hangs, until it fails."""
        with ExitStack() as changing:
            for domain in sorted(set(domains)):
                changing.enter_context(self._changing.holding(domain))
            with self._guard:
                watches = [self._watches[uuid] for uuid in set(domains) if uuid in self._watches]
            for watch in watches:
                watch.stop(release=True)
            for watch in watches:
                watch.join()
                with self._guard:
                    del self._watches[watch.uuid]
                log.info("Domain %s is watched no more", watch.uuid)

    def watched(self) -> list[str]:
        with self._guard:
            return sorted(self._watches)

    def is_of_pool(self, domain: str) -> bool:
        """Whether a domain is watched as a member of the pool."""
        watch = self._watch(domain)
        return watch is not None and watch.pool

    def is_valid(self, domain: str) -> bool:
        watch = self._watch(domain)
        if watch is None:
            return False
        status = watch.status
        return status.actual and status.valid

    def stats(self) -> dict[str, JSON]:
        with self._guard:
            watches = sorted(self._watches.items())
        now = time.monotonic()
        return {uuid: watch.status.vitals(now) for uuid, watch in watches}

    def close(self) -> None:
        """Ends all looks and keeps the host ids: a VM that outlives vdsm may hold a lease. Waits
        for nobody."""
        with self._guard:
            for watch in self._watches.values():
                watch.stop(release=False)
            self._watches.clear()

    def _watch(self, domain: str) -> Watch | None:
        with self._guard:
            return self._watches.get(domain)
