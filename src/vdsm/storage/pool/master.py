# SPDX-License-Identifier: GPL-2.0-or-later
"""Moving the master's role, with what is in `master/`, to another domain of the pool.

The order keeps the data in one place at least: it is copied, the new master gets the role and the
pool's metadata, and only then the old one loses them. A kill before the role leaves the old
master; after it both say that they are master, and the engine's next connect names the one.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
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

_COPIED = (layout.TASKS, layout.VMS)
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
    moved, had = False, _directories(new)
    try:
        _copy(old, new, had)
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
            with suppress(errors.StorageError, OSError):
                _clear(new.files, had)
            with suppress(errors.ReleaseLockFailure):
                new.lock.release()
    pool.backend = pool.backend.moved(version)
    pool.master = new


def retire(old: Domain) -> None:
    """Takes the role and the master's data from the former master. From here on there is a new one:
    a failure is only logged."""
    try:
        old.change_metadata(changes.become_regular)
        for directory in _COPIED:
            old.files.remove_tree(directory)
    except (errors.StorageError, OSError) as error:
        log.warning("The former master %s was not cleaned up: %s", old.uuid, error)


def _directories(domain: Domain) -> set[str]:
    """Those of a master that a domain has. Raises MasterCopyError."""
    try:
        return {name for name in (layout.MASTER, *_COPIED) if domain.files.exists(name)}
    except OSError as error:
        raise errors.MasterCopyError(f"{domain.uuid}: {error}") from error


def _copy(old: Domain, new: Domain, had: Collection[str]) -> None:
    """Copies `master/tasks` and `master/vms`, after what the new one had there is gone. Raises
    MasterCopyError, and as `make_master_tree` does."""
    try:
        _clear(new.files, had)
        make_master_tree(new)
        for directory in _COPIED:
            if old.files.exists(directory):
                _copy_tree(old.files.below(directory), new.files.below(directory))
    except OSError as error:
        raise errors.MasterCopyError(f"{old.uuid} to {new.uuid}: {error}") from error


def _clear(files: Files, had: Collection[str]) -> None:
    """Empties the directories of a master, and removes those that the domain had not."""
    for directory in (*_COPIED, layout.MASTER):
        if directory not in had:
            files.remove_tree(directory)
        elif directory in _COPIED:
            for name, stat in files.scan(directory).items():
                remove = files.remove_tree if stat.kind == "directory" else files.unlink
                remove(f"{directory}/{name}")


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
