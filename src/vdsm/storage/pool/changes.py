# SPDX-License-Identifier: GPL-2.0-or-later
"""How a domain's metadata changes when its place in a pool does. Pure.

Each is given to `Domain.change_metadata`, which writes the result as one step. Doing one twice is
doing it once, so that a call which was killed in the middle can be made again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from vdsm.storage import errors
from vdsm.storage.model import (
    DomainClass,
    DomainMetadata,
    DomainStatus,
    PoolMetadata,
    Role,
)


@dataclass(frozen=True, slots=True)
class LeaseParameters:
    """What StoragePool.create and reconstructMaster say of leases; seconds, but for `retries`."""

    renewal_interval_s: int = 5
    lease_time_s: int = 60
    io_op_timeout_s: int = 10
    retries: int = 3


def attach(metadata: DomainMetadata, pool: str) -> DomainMetadata:
    """Adds a pool to the domain's pools. Only an ISO domain may be in several: raises
    StorageDomainAlreadyAttached."""
    if pool in metadata.pools:
        return metadata
    if metadata.pools and metadata.domain_class is not DomainClass.ISO:
        raise errors.StorageDomainAlreadyAttached(f"{metadata.uuid} to pool {metadata.pools[0]}")
    return replace(metadata, pools=(*metadata.pools, pool))


def detach(metadata: DomainMetadata, pool: str) -> DomainMetadata:
    """Takes a pool out of the domain's pools; it is no master of it any more."""
    if pool not in metadata.pools:
        return metadata
    pools = tuple(one for one in metadata.pools if one != pool)
    return replace(metadata, pools=pools, role=Role.REGULAR, pool=None)


def detach_from_all(metadata: DomainMetadata) -> DomainMetadata:
    """Takes the domain out of every pool that it says it is in."""
    return replace(metadata, pools=(), role=Role.REGULAR, pool=None)


def become_master(
    metadata: DomainMetadata, pool: str, content: PoolMetadata, lease: LeaseParameters
) -> DomainMetadata:
    """Makes the domain the master of `pool`, with the pool's own metadata. Raises
    StorageDomainAlreadyAttached, IsoCannotBeMaster, BackupCannotBeMaster."""
    refuse_as_master(metadata)
    if any(one != pool for one in metadata.pools):
        raise errors.StorageDomainAlreadyAttached(f"{metadata.uuid} to pool {metadata.pools[0]}")
    return replace(
        metadata,
        pools=(pool,),
        role=Role.MASTER,
        pool=content,
        lock_renewal_interval_s=lease.renewal_interval_s,
        lease_time_s=lease.lease_time_s,
        io_op_timeout_s=lease.io_op_timeout_s,
        lease_retries=lease.retries,
    )


def become_regular(metadata: DomainMetadata) -> DomainMetadata:
    """Takes the master's role from the domain. What the pool kept there stays, as version 0, as
    oVirt leaves it: an older version never wins."""
    if metadata.role is Role.REGULAR and (
        metadata.pool is None or not metadata.pool.master_version
    ):
        return metadata
    content = None if metadata.pool is None else replace(metadata.pool, master_version=0)
    return replace(metadata, role=Role.REGULAR, pool=content)


def refuse_as_master(metadata: DomainMetadata) -> None:
    """Raises IsoCannotBeMaster or BackupCannotBeMaster: only a data domain is a master."""
    if metadata.domain_class is DomainClass.ISO:
        raise errors.IsoCannotBeMaster(metadata.uuid)
    if metadata.domain_class is DomainClass.BACKUP:
        raise errors.BackupCannotBeMaster(metadata.uuid)


def lease_parameters(metadata: DomainMetadata) -> LeaseParameters:
    """What a new master takes over from the old one."""
    return LeaseParameters(
        renewal_interval_s=metadata.lock_renewal_interval_s,
        lease_time_s=metadata.lease_time_s,
        io_op_timeout_s=metadata.io_op_timeout_s,
        retries=metadata.lease_retries,
    )


def is_left_of_create(metadata: DomainMetadata, pool: str, domains: frozenset[str]) -> bool:
    """Whether the domain is what StoragePool.create of this pool and these domains leaves when it
    is killed: attached to the pool, which never had an SPM and knows no other domain."""
    if metadata.pools != (pool,):
        return False
    content = metadata.pool
    if content is None:
        return True
    return content.spm_lver == -1 and domains.issuperset(content.domains)


def with_domain(content: PoolMetadata, domain: str, status: DomainStatus | None) -> PoolMetadata:
    """Sets a domain's status in the pool; None takes it out."""
    domains = {uuid: one for uuid, one in content.domains.items() if uuid != domain}
    if status is not None:
        domains[domain] = status
    return replace(content, domains=domains)
