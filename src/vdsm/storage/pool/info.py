# SPDX-License-Identifier: GPL-2.0-or-later
"""What StoragePool.getInfo and getSpmStatus answer. Shapes: oVirt's StoragePoolFullInfo."""

from __future__ import annotations

import logging

from vdsm.jsonrpc.errors import JSON
from vdsm.storage import errors, side_by_side
from vdsm.storage.files import Space
from vdsm.storage.formats import domain_metadata
from vdsm.storage.model import DomainStatus, PoolMetadata
from vdsm.storage.pool.connected import ConnectedPool
from vdsm.storage.protocols import Domain, Domains, Monitors

log = logging.getLogger(__name__)

_AT_A_TIME = 8


def describe(pool: ConnectedPool, domains: Domains, monitors: Monitors) -> JSON:
    """The pool and each of its domains; sizes only of active ones that answer. Raises
    StoragePoolMasterNotFound when the master cannot be read."""
    try:
        metadata = pool.master.metadata()
        content = _content(pool)
    except (errors.StorageError, OSError) as error:
        raise errors.StoragePoolMasterNotFound(
            f"pool {pool.uuid}, domain {pool.master.uuid}: {error}"
        ) from error
    members = sorted(content.domains.items())
    described = side_by_side.each(lambda one: _domain(*one, domains, monitors), members, _AT_A_TIME)
    return {
        "info": {
            "name": content.description,
            "domains": ",".join(f"{uuid}:{status}" for uuid, status in members),
            "isoprefix": "",
            "lver": content.spm_lver,
            "master_uuid": metadata.uuid,
            "master_ver": content.master_version,
            "pool_status": "connected",
            "spm_id": content.spm_id,
            "type": domain_metadata.type_name(metadata.kind),
            "version": str(metadata.version),
        },
        "dominfo": {uuid: one for (uuid, _), one in zip(members, described, strict=True)},
    }


def spm_status(pool: ConnectedPool) -> JSON:
    """The role of this host, and who is SPM. Raises StorageDomainMasterError when the master cannot
    be read, and InquireNotSupported."""
    role = pool.role
    try:
        content = pool.content()
    except errors.InquireNotSupported:
        raise
    except (errors.StorageError, OSError) as error:
        raise errors.StorageDomainMasterError(f"{pool.master.uuid}: {error}") from error
    return {"spmStatus": role.value, "spmLver": content.spm_lver, "spmId": content.spm_id}


def _content(pool: ConnectedPool) -> PoolMetadata:
    """What is known of the pool; nobody is SPM where a lock does not say who holds it."""
    try:
        return pool.content()
    except errors.InquireNotSupported:
        version = pool.backend.version(pool.master)
        return PoolMetadata(domains=pool.domains(), master_version=version)


def _domain(uuid: str, status: DomainStatus, domains: Domains, monitors: Monitors) -> JSON:
    version, total, free = -1, "", ""
    if status is DomainStatus.ACTIVE and monitors.is_valid(uuid):
        try:
            domain, space = _space(domains, uuid)
            version, total, free = domain.version, str(space.total), str(space.available)
        except (errors.StorageError, OSError) as error:
            log.warning("Domain %s does not say how large it is: %s", uuid, error)
    return {
        "status": status.value,
        "alerts": [],
        "version": version,
        "disktotal": total,
        "diskfree": free,
        "isoprefix": "",
    }


def _space(domains: Domains, uuid: str) -> tuple[Domain, Space]:
    domain = domains.find(uuid)
    return domain, domain.files.space()
