# SPDX-License-Identifier: GPL-2.0-or-later
"""Where a pool keeps what it knows of itself.

The engine of today keeps it: it sends the domains and the master's version with
StoragePool.connect, and this host only remembers them (`MemoryBackend`). Engines of old clusters
left it to the master domain's metadata (`DiskBackend`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final, Protocol

from vdsm.storage import errors
from vdsm.storage.model import DomainMetadata, DomainStatus, PoolMetadata
from vdsm.storage.pool import changes
from vdsm.storage.protocols import Domain

NO_SPM: Final = -1
NO_VERSION: Final = -1

MEMORY_NAME: Final = "No Description"
"""The name of a pool that only the engine knows, as oVirt writes it."""


class Backend(Protocol):
    """For any thread."""

    @property
    def on_disk(self) -> bool: ...

    def content(self, master: Domain, /) -> PoolMetadata:
        """The pool's metadata now; who is SPM is asked of the master's lock or metadata. Raises
        the master's errors."""

    def domains(self, master: Domain, /) -> Mapping[str, DomainStatus]:
        """The domains of the pool and their states."""

    def version(self, master: Domain, /) -> int:
        """The master's version."""

    def set_domain(self, master: Domain, domain: str, status: DomainStatus | None, /) -> None:
        """Sets the state of one domain; None takes it out of the pool."""

    def set_spm(self, master: Domain, spm_id: int, lver: int | None = None, /) -> None:
        """Notes who is SPM, where that is kept."""

    def set_description(self, master: Domain, text: str, /) -> None: ...

    def moved(self, version: int, /) -> Backend:
        """The backend that goes with a new master. What a disk holds was moved before."""


class MemoryBackend:
    """What the engine said."""

    on_disk = False

    def __init__(self, version: int, domains: Mapping[str, DomainStatus]) -> None:
        self._lock = threading.Lock()
        self._content = PoolMetadata(
            description=MEMORY_NAME, domains=dict(domains), master_version=version
        )

    def content(self, master: Domain, /) -> PoolMetadata:
        owner = master.lock.inquire()
        return replace(
            self._content,
            spm_id=owner.host_id or NO_SPM,
            spm_lver=owner.generation or NO_VERSION,
        )

    def domains(self, _master: Domain, /) -> Mapping[str, DomainStatus]:
        return self._content.domains

    def version(self, _master: Domain, /) -> int:
        return self._content.master_version

    def set_domain(self, _master: Domain, domain: str, status: DomainStatus | None, /) -> None:
        with self._lock:
            self._content = changes.with_domain(self._content, domain, status)

    def set_spm(self, _master: Domain, _spm_id: int, _lver: int | None = None, /) -> None:
        """Nothing: the lock itself knows."""

    def set_description(self, _master: Domain, _text: str, /) -> None:
        """Nothing: the engine keeps the name. oVirt takes the call and ignores it, too."""

    def moved(self, version: int, /) -> MemoryBackend:
        return MemoryBackend(version, self._content.domains)


class DiskBackend:
    """The POOL_* keys of the master's metadata."""

    on_disk = True

    def content(self, master: Domain, /) -> PoolMetadata:
        return pool_content(master.metadata())

    def domains(self, master: Domain, /) -> Mapping[str, DomainStatus]:
        return self.content(master).domains

    def version(self, master: Domain, /) -> int:
        return self.content(master).master_version

    def set_domain(self, master: Domain, domain: str, status: DomainStatus | None, /) -> None:
        _change(master, lambda content: changes.with_domain(content, domain, status))

    def set_spm(self, master: Domain, spm_id: int, lver: int | None = None, /) -> None:
        def change(content: PoolMetadata) -> PoolMetadata:
            new = content.spm_lver if lver is None else lver
            return replace(content, spm_id=spm_id, spm_lver=new)

        _change(master, change)

    def set_description(self, master: Domain, text: str, /) -> None:
        _change(master, lambda content: replace(content, description=text))

    def moved(self, _version: int, /) -> DiskBackend:
        return self


def pool_content(metadata: DomainMetadata) -> PoolMetadata:
    """The pool's part of a master's metadata. Raises StoragePoolWrongMaster when it has none."""
    if metadata.pool is None:
        raise errors.StoragePoolWrongMaster(f"domain {metadata.uuid} has no metadata of a pool")
    return metadata.pool


def _change(master: Domain, change: Callable[[PoolMetadata], PoolMetadata]) -> None:
    master.change_metadata(lambda metadata: replace(metadata, pool=change(pool_content(metadata))))
