# SPDX-License-Identifier: GPL-2.0-or-later
"""The domains of a pool: attaching, activating, deactivating, detaching. By the SPM only.

Two things change: the domain's own metadata and the pool's map of domains. A call that was killed
between the two is completed when it is made again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import ExitStack

from vdsm.storage import errors
from vdsm.storage.model import MAX_DOMAINS_IN_POOL, DomainClass, DomainStatus, Role
from vdsm.storage.pool import changes, locking
from vdsm.storage.pool.changing import changed
from vdsm.storage.pool.connected import ConnectedPool, Surroundings
from vdsm.storage.pool.spm import make_master_tree
from vdsm.storage.protocols import Domain, Domains

log = logging.getLogger(__name__)

Convert = Callable[[Domain, int], None]
"""Brings a domain to a version."""


class Members:
    """The caller holds the pool and the domain, and has checked that this host is SPM."""

    def __init__(self, domains: Domains, surroundings: Surroundings, convert: Convert) -> None:
        self._domains = domains
        self._surroundings = surroundings
        self._convert = convert

    def attach(self, pool: ConnectedPool, uuid: str) -> None:
        """Adds a domain to the pool, as attached. One that is attached already is left alone.

        Raises TooManyDomainsInPool, StorageDomainDoesNotExist, StorageDomainAlreadyAttached (to
        another pool), MixedDomainVersions, and the lock's errors.
        """
        domain = self._domains.find(uuid)
        metadata = domain.metadata()
        known = pool.domains()
        if uuid in known and pool.uuid in metadata.pools:
            return
        if uuid not in known and len(known) >= MAX_DOMAINS_IN_POOL:
            raise errors.TooManyDomainsInPool(f"pool {pool.uuid}")
        changes.attach(metadata, pool.uuid)  # refused before the lock is waited for
        if metadata.domain_class is DomainClass.DATA and metadata.version > pool.master.version:
            raise errors.MixedDomainVersions(
                f"{uuid} has version {metadata.version},"
                f" the master {pool.master.uuid} has {pool.master.version}"
            )
        watched = self._surroundings.is_watched(uuid)
        with (
            locking.holding(domain.lock, pool.host_id, keep_host_id=watched),
            changed(domain, lambda found: changes.attach(found, pool.uuid)),
        ):
            pool.set_domain(uuid, DomainStatus.ATTACHED)
        self._surroundings.follow(pool)

    def activate(self, pool: ConnectedPool, uuid: str) -> None:
        """Makes an attached domain usable: links it, brings it to the master's version, watches it.

        Raises StorageDomainNotMemberOfPool, StorageDomainNotInPool, StorageDomainDoesNotExist, and
        what a conversion raises.
        """
        domain = self._attached(pool, uuid)
        if pool.domains()[uuid] is not DomainStatus.ACTIVE:
            self._surroundings.link(pool, domain)
            if uuid != pool.master.uuid:
                domain.change_metadata(changes.become_regular)
            domain_class = domain.metadata().domain_class
            if domain_class is DomainClass.DATA and domain.version < pool.master.version:
                self._convert(domain, pool.master.version)
            if domain_class is DomainClass.BACKUP:
                make_master_tree(domain)
            pool.set_domain(uuid, DomainStatus.ACTIVE)
        self._surroundings.follow(pool)

    def deactivate(self, pool: ConnectedPool, uuid: str) -> None:
        """Takes a domain that is not the master out of use; it may be out of reach. Raises
        StorageDomainNotMemberOfPool."""
        pool.require_member(uuid)
        pool.set_domain(uuid, DomainStatus.ATTACHED)
        self._surroundings.follow(pool)

    def detach(self, pool: ConnectedPool, uuid: str) -> None:
        """Takes a domain out of the pool. Raises StorageDomainNotMemberOfPool, CannotDetachMaster,
        StorageDomainDoesNotExist, and for an ISO domain the lock's errors."""
        pool.require_member(uuid)
        if uuid == pool.master.uuid:
            raise errors.CannotDetachMaster(uuid)
        domain = self._domains.find(uuid)
        with ExitStack() as steps:
            if domain.metadata().domain_class is DomainClass.ISO:
                # Other pools may change it at the same time.
                steps.enter_context(locking.holding(domain.lock, pool.host_id))
            steps.enter_context(changed(domain, lambda found: changes.detach(found, pool.uuid)))
            pool.set_domain(uuid, None)
        self._surroundings.follow(pool)

    def forget(self, pool: ConnectedPool, uuid: str) -> None:
        """Takes a domain out of the pool's map and leaves the domain alone: it is lost. One that
        is not there is no error. Raises CannotDetachMaster."""
        if uuid == pool.master.uuid:
            raise errors.CannotDetachMaster(uuid)
        if uuid in pool.domains():
            log.info("Domain %s is taken out of pool %s", uuid, pool.uuid)
            pool.set_domain(uuid, None)
            self._surroundings.follow(pool)

    def demote(self, pool: ConnectedPool, uuid: str) -> None:
        """Takes the master's role from a domain that is not the master: a kill while the role moved
        leaves two. A domain that cannot be read has to wait for the next SPM."""
        if uuid == pool.master.uuid:
            return
        try:
            domain = self._domains.find(uuid)
            if domain.metadata().role is Role.MASTER:
                log.warning("Domain %s says that it is the master of %s", uuid, pool.uuid)
                domain.change_metadata(changes.become_regular)
        except errors.StorageError as error:
            log.warning("The role of domain %s was not looked at: %s", uuid, error)

    def _attached(self, pool: ConnectedPool, uuid: str) -> Domain:
        pool.require_member(uuid)
        domain = self._domains.find(uuid)
        if pool.uuid not in domain.metadata().pools:
            raise errors.StorageDomainNotInPool(f"pool {pool.uuid}, domain {uuid}")
        return domain


def free_from_pools(domain: Domain) -> None:
    """Takes a domain out of all pools that it says it is in, with no pool connected: what
    StorageDomain.detach by force does for a domain that another engine left behind. Raises the
    lock's errors."""
    host_id = locking.reserved_host_id(domain.metadata())
    with locking.holding(domain.lock, host_id):
        domain.change_metadata(changes.detach_from_all)
