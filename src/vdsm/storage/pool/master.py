# SPDX-License-Identifier: GPL-2.0-or-later
"""Moving the master's role, with what is in `master/`, to another domain of the pool.

The order keeps the data in one place at least: it is copied, the new master gets the role and the
pool's metadata, and only then the old one loses them. A kill before the role leaves the old
master; after it both say that they are master, and the engine's next connect names the one.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import replace

from vdsm.storage import errors, layout
from vdsm.storage.files import Files
from vdsm.storage.model import DomainMetadata, DomainStatus
from vdsm.storage.pool import changes
from vdsm.storage.pool.connected import ConnectedPool
from vdsm.storage.pool.spm import make_master_tree
from vdsm.storage.protocols import Domain

log = logging.getLogger(__name__)

_DEPTH = 8
_MAX_FILE = 16 << 20


def check(pool: ConnectedPool, old: str, new: str, version: int) -> None:
    """Whether the role can be moved. Raises StoragePoolWrongMaster, StorageDomainNotInPool,
    StorageDomainNotActive, InvalidParameter."""
    if old != pool.master.uuid:
        raise errors.StoragePoolWrongMaster(f"domain {old} is not the master of pool {pool.uuid}")
    if new == old:
        raise errors.InvalidParameter("newMasterUUID", "it is the master already")
    current = pool.backend.version(pool.master)
    if version <= current:
        raise errors.StoragePoolWrongMaster(f"version {version} is not above {current}")
    status = pool.domains().get(new)
    if status is None:
        raise errors.StorageDomainNotInPool(f"pool {pool.uuid}, domain {new}")
    if status is not DomainStatus.ACTIVE:
        raise errors.StorageDomainNotActive(new)


def move(pool: ConnectedPool, new: Domain, version: int) -> None:
    """Makes `new` the master; its lease is held when this returns, the old one's still is.

    Raises IsoCannotBeMaster, BackupCannotBeMaster, MixedDomainVersions, MasterCopyError, and the
    lock's errors; then the old master is as it was.
    """
    old = pool.master
    metadata = new.metadata()
    changes.refuse_as_master(metadata)
    if metadata.version != old.version:
        raise errors.MixedDomainVersions(
            f"{new.uuid} has version {metadata.version}, the master {old.uuid} has {old.version}"
        )
    new.lock.acquire_host_id(pool.host_id, wait=True)
    new.lock.acquire(pool.host_id)
    moved = False
    try:
        _copy(old, new)
        lease = changes.lease_parameters(old.metadata())
        content = replace(pool.content(), master_version=version)

        def become_master(found: DomainMetadata) -> DomainMetadata:
            return changes.become_master(found, pool.uuid, content, lease)

        new.change_metadata(become_master)
        moved = True
    finally:
        if not moved:
            with suppress(errors.StorageError, OSError):
                new.change_metadata(changes.become_regular)
            with suppress(errors.ReleaseLockFailure):
                new.lock.release()
    pool.backend = pool.backend.moved(version)
    pool.master = new


def retire(old: Domain) -> None:
    """Takes the role and the master's data from the former master. From here on there is a new one:
    a failure is only logged."""
    try:
        old.change_metadata(changes.become_regular)
        for directory in (layout.VMS, layout.TASKS):
            old.files.remove_tree(directory)
    except (errors.StorageError, OSError) as error:
        log.warning("The former master %s was not cleaned up: %s", old.uuid, error)


def _copy(old: Domain, new: Domain) -> None:
    """Copies `master/tasks` and `master/vms`, after what the new one had there is gone. Raises
    MasterCopyError."""
    try:
        for directory in (layout.TASKS, layout.VMS):
            new.files.remove_tree(directory)
        make_master_tree(new)
        for directory in (layout.TASKS, layout.VMS):
            if old.files.exists(directory):
                _copy_tree(old.files.below(directory), new.files.below(directory))
    except OSError as error:
        raise errors.MasterCopyError(f"{old.uuid} to {new.uuid}: {error}") from error


def _copy_tree(source: Files, target: Files) -> None:
    found = source.scan(depth=_DEPTH)
    for path in sorted(found):
        kind = found[path].kind
        if kind == "directory":
            with suppress(FileExistsError):
                target.mkdir(path, parents=True)
        elif kind == "file":
            target.write(path, source.read(path, limit=_MAX_FILE))
        else:
            log.warning("%s is no file and is not copied", source.root / path)
