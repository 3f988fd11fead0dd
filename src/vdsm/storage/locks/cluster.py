# SPDX-License-Identifier: GPL-2.0-or-later
"""The locks of all domains: which kind a domain has, and one object for each."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from vdsm.storage.domain_types import DomainType
from vdsm.storage.locks import binding as bindings
from vdsm.storage.locks.binding import Binding
from vdsm.storage.locks.local import LocalLock
from vdsm.storage.locks.none import NoLock
from vdsm.storage.locks.sanlock import SanlockLock
from vdsm.storage.model import ALIGNMENT, BLOCK_SIZE
from vdsm.storage.protocols import ClusterLock

_FIRST_WITH_SANLOCK = 3


class ClusterLocks:
    """Made once. A domain that is found again gets the object that holds its leases. For any
    thread; touches nothing."""

    def __init__(self, io_timeout: int, binding: Callable[[], Binding] = bindings.load) -> None:
        self._io_timeout = io_timeout
        self._binding = binding
        self._lock = threading.Lock()
        self._made: dict[tuple[object, ...], ClusterLock] = {}

    def of(
        self,
        domain: str,
        path: Path,
        *,
        kind: DomainType,
        version: int,
        alignment: int = ALIGNMENT,
        block_size: int = BLOCK_SIZE,
    ) -> ClusterLock:
        """The lock of the domain in the directory `path`, by what its metadata says."""
        old = version < _FIRST_WITH_SANLOCK
        key = (domain, path, kind, old, alignment, block_size)
        with self._lock:
            if key not in self._made:
                if old:
                    self._made[key] = NoLock(domain, version)
                elif kind is DomainType.LOCALFS:
                    self._made[key] = LocalLock(domain, path)
                else:
                    self._made[key] = SanlockLock(
                        domain,
                        path,
                        alignment=alignment,
                        block_size=block_size,
                        io_timeout=self._io_timeout,
                        binding=self._binding,
                    )
            return self._made[key]
