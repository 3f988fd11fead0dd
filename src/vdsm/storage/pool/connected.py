# SPDX-License-Identifier: GPL-2.0-or-later
"""The pool that this host is connected to: its master, its backend, and this host's role in it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from vdsm.storage import errors, side_by_side
from vdsm.storage.domain.os_errors import writing
from vdsm.storage.model import DomainStatus, PoolMetadata, Role, SpmStatus
from vdsm.storage.pool.backend import Backend
from vdsm.storage.pool.links import Links
from vdsm.storage.pool.mailbox import HostMailbox
from vdsm.storage.protocols import Domain, Domains, Monitors

log = logging.getLogger(__name__)

_AT_A_TIME: Final = 16  # domains that are looked for; those that are dead hold up no other


class ConnectedPool:
    """State in memory only: after a restart an engine connects again, as oVirt's do.

    The holder of the pool's resource changes `master` and `backend`; `role` also changes when the
    lease is lost. Each is read in one step.
    """

    def __init__(self, uuid: str, host_id: int, master: Domain, backend: Backend) -> None:
        self.uuid = uuid
        self.host_id = host_id
        self.master = master
        self.backend = backend
        self.role = SpmStatus.FREE
        self.mailbox = HostMailbox(master.files, host_id)

    def content(self) -> PoolMetadata:
        return self.backend.content(self.master)

    def domains(self) -> Mapping[str, DomainStatus]:
        return self.backend.domains(self.master)

    def active(self) -> list[str]:
        return [uuid for uuid, status in self.domains().items() if status is DomainStatus.ACTIVE]

    def set_domain(self, domain: str, status: DomainStatus | None) -> None:
        self.backend.set_domain(self.master, domain, status)

    def require_spm(self) -> None:
        """Raises SpmStatusError."""
        if self.role is not SpmStatus.SPM:
            raise errors.SpmStatusError(f"pool {self.uuid}")

    def require_not_spm(self) -> None:
        """Raises IsSpm."""
        if self.role is not SpmStatus.FREE:
            raise errors.IsSpm(f"pool {self.uuid}")

    def require_member(self, domain: str) -> None:
        """Raises StorageDomainNotMemberOfPool."""
        if domain not in self.domains():
            raise errors.StorageDomainNotMemberOfPool(f"pool {self.uuid}, domain {domain}")


class Surroundings:
    """What has to follow a pool: the links on this host, and what is watched."""

    def __init__(self, domains: Domains, monitors: Monitors, links: Links) -> None:
        self._domains = domains
        self._monitors = monitors
        self._links = links
        self._watched: frozenset[str] = frozenset()
        self._paths: dict[str, Path] = {}

    def follow(self, pool: ConnectedPool, *, anew: bool = False) -> None:
        """Links exactly the active domains that are there, and watches exactly the active ones.
        Only with `anew` one that was found before is looked for: it may be dead. Raises
        StoragePoolConnectionError, TooManyDomainsInPool."""
        active = frozenset(pool.active())
        known = {} if anew else self._paths
        missing = sorted(active - known.keys() - {pool.master.uuid})
        found = zip(missing, side_by_side.each(self._path, missing, _AT_A_TIME), strict=True)
        paths = {uuid: path for uuid, path in (*known.items(), *found) if uuid in active and path}
        paths[pool.master.uuid] = pool.master.path
        self._paths = paths
        with writing(f"links of pool {pool.uuid}", errors.StoragePoolConnectionError):
            self._links.refresh(pool.uuid, paths, pool.master.uuid)
        self._watch(pool.host_id, active)

    def leave(self, pool: ConnectedPool) -> None:
        """Watches none of the pool's domains any more, and removes the links."""
        self._paths = {}
        self._watch(pool.host_id, frozenset())
        self._links.remove(pool.uuid)

    def link(self, pool: ConnectedPool, domain: Domain) -> None:
        with writing(f"links of pool {pool.uuid}", errors.StoragePoolConnectionError):
            self._links.add(pool.uuid, domain.uuid, domain.path)
        self._paths[domain.uuid] = domain.path

    def is_watched(self, domain: str) -> bool:
        return domain in self._monitors.watched()

    def _path(self, uuid: str) -> Path | None:
        try:
            return self._domains.find(uuid).path
        except errors.StorageError as error:
            # It is linked when it is activated or the pool is refreshed, once it is there.
            log.warning("Domain %s is not linked: %s", uuid, error)
            return None

    def _watch(self, host_id: int, wanted: frozenset[str]) -> None:
        gone = sorted(self._watched - wanted)
        if gone:
            self._monitors.stop(gone)
        for uuid in sorted(wanted):
            self._monitors.start(uuid, host_id, pool=True)
        self._watched = wanted


def find_master(domains: Domains, pool: str, master: str, version: int, backend: Backend) -> Domain:
    """The master of a pool, when it is what the engine says it is.

    Raises StoragePoolMasterNotFound when there is no such domain, and StoragePoolWrongMaster when
    it is no master, is another pool's, has another version, or is not active.
    """
    try:
        domain = domains.find(master)
    except errors.StorageDomainDoesNotExist:
        raise errors.StoragePoolMasterNotFound(f"pool {pool}, domain {master}") from None
    metadata = domain.metadata()
    if metadata.role is not Role.MASTER:
        raise errors.StoragePoolWrongMaster(f"domain {master} is not a master")
    if pool not in metadata.pools:
        raise errors.StoragePoolWrongMaster(f"domain {master} is not in pool {pool}")
    found = backend.version(domain)
    if found != version:
        raise errors.StoragePoolWrongMaster(
            f"domain {master} has version {found}, not {version}, of the master"
        )
    if backend.domains(domain).get(master) is not DomainStatus.ACTIVE:
        raise errors.StoragePoolWrongMaster(f"domain {master} is not active in pool {pool}")
    return domain
