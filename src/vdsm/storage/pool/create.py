# SPDX-License-Identifier: GPL-2.0-or-later
"""Making a pool, and making another domain its master when the old one is lost.

What is written: the master's role and the pool's metadata on the master, then the pool on each
further domain. A failure puts the metadata back as it was; a kill leaves what the same call goes
on from when it is made again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack

from vdsm.storage import errors
from vdsm.storage.model import DomainClass, DomainMetadata, DomainStatus, PoolMetadata
from vdsm.storage.pool import changes, locking
from vdsm.storage.pool.changes import LeaseParameters
from vdsm.storage.pool.changing import changed
from vdsm.storage.protocols import Domain, Domains


def create(
    domains: Domains,
    *,
    pool: str,
    name: str,
    master: str,
    version: int,
    members: Sequence[str],
    lease: LeaseParameters,
) -> None:
    """StoragePool.create; the caller holds the pool and its domains.

    Raises StorageDomainAccessError for a domain that cannot be read, StorageDomainAlreadyAttached
    for one in another pool, MixedDomainVersions, IsoCannotBeMaster, BackupCannotBeMaster, and the
    lock's errors.
    """
    found = {uuid: _find(domains, uuid) for uuid in members}
    before = {uuid: domain.metadata() for uuid, domain in found.items()}
    _check(before, pool, master)
    statuses = dict.fromkeys(members, DomainStatus.ATTACHED)
    content = PoolMetadata(
        description=name,
        domains={**statuses, master: DomainStatus.ACTIVE},
        master_version=version,
    )

    def as_master(metadata: DomainMetadata) -> DomainMetadata:
        return changes.become_master(metadata, pool, content, lease)

    def as_member(metadata: DomainMetadata) -> DomainMetadata:
        return changes.attach(changes.become_regular(metadata), pool)

    # The master first, so that a call that is made again sees whose domains these are.
    with ExitStack() as steps:
        for uuid in (master, *(one for one in members if one != master)):
            host_id = locking.reserved_host_id(before[uuid])
            steps.enter_context(locking.holding(found[uuid].lock, host_id))
            change = as_master if uuid == master else as_member
            steps.enter_context(changed(found[uuid], change))


def reconstruct(
    domains: Domains,
    *,
    pool: str,
    host_id: int,
    name: str,
    master: str,
    version: int,
    members: Mapping[str, DomainStatus],
    lease: LeaseParameters,
) -> None:
    """StoragePool.reconstructMaster: the domain becomes the master, whatever the old one says.

    Its data of the old master is not there: the engine writes it anew. Raises
    StorageDomainAlreadyAttached when the domain is another pool's, StorageDomainDoesNotExist, and
    the lock's errors.
    """
    domain = domains.find(master)
    changes.refuse_as_master(domain.metadata())
    content = PoolMetadata(description=name, domains=members, master_version=version)
    # The host id is kept: the engine connects to the pool next.
    with locking.holding(domain.lock, host_id, keep_host_id=True):
        domain.change_metadata(
            lambda metadata: changes.become_master(metadata, pool, content, lease)
        )


def _find(domains: Domains, uuid: str) -> Domain:
    try:
        return domains.find(uuid)
    except errors.StorageError as error:
        raise errors.StorageDomainAccessError(f"{uuid}: {error}") from error


def _check(found: Mapping[str, DomainMetadata], pool: str, master: str) -> None:
    changes.refuse_as_master(found[master])
    members = frozenset(found)
    for uuid, metadata in found.items():
        if metadata.domain_class is DomainClass.ISO or not metadata.pools:
            continue
        if not changes.is_left_of_create(metadata, pool, members):
            raise errors.StorageDomainAlreadyAttached(f"{uuid} to pool {metadata.pools[0]}")
    wanted = found[master].version
    for uuid, metadata in found.items():
        if metadata.domain_class is DomainClass.DATA and metadata.version != wanted:
            raise errors.MixedDomainVersions(
                f"{uuid} has version {metadata.version}, the master {master} has {wanted}"
            )
