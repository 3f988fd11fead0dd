# SPDX-License-Identifier: GPL-2.0-or-later
"""Making a storage domain, and wiping one: each is one rename, so that a kill leaves no half.

A new domain is built below a hidden name and renamed when all of it is on the disk; a wiped one is
renamed first. What a kill leaves below a hidden name is no domain for anybody, and whoever makes
or wipes a domain on that mount next removes it.
"""

from __future__ import annotations

import errno
import logging
from collections.abc import Callable
from typing import Final

from vdsm.storage import errors, layout
from vdsm.storage.domain import create_params
from vdsm.storage.domain.create_params import BLOCK_SIZE_AUTO, NewDomain
from vdsm.storage.domain.os_errors import reading, writing
from vdsm.storage.domain.registry import Locks, lock_of
from vdsm.storage.domain_types import DomainType
from vdsm.storage.files import Files
from vdsm.storage.formats import domain_metadata
from vdsm.storage.layout import DIRECTORY_MODE
from vdsm.storage.model import MIB, DomainClass, DomainMetadata, Role

log = logging.getLogger(__name__)

MAILBOX_SIZE: Final = 16 * MIB
"""Bytes of the inbox and of the outbox: a message of 4096 bytes for each of 4096 hosts."""

ISO_IMAGE: Final = "11111111-1111-1111-1111-111111111111"
"""The image of an ISO domain that all its files are in."""

_NEW: Final = ".vdsm-new-"
_REMOVED: Final = ".vdsm-removed-"
_PROBE: Final = "block-size"
_DIRECTORY_MODE: Final = 0o755

# rename(2) of a directory onto one that is not empty.
_OCCUPIED = frozenset({errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR})

FormatLeases = Callable[[Files, DomainMetadata], None]
"""Writes the index of the external leases into dom_md/xleases, which is there and empty."""


def has_external_leases(version: int, kind: DomainType) -> bool:
    """Whether a domain has dom_md/xleases: since version 4, where there is sanlock."""
    return version >= 4 and kind is not DomainType.LOCALFS


def refuse_unless_empty(mount: Files) -> None:
    """Raises StorageDomainNotEmpty when any directory of the mount is or was a domain."""
    with reading(str(mount.root)):
        for name, stat in mount.scan().items():
            below = stat.kind == "directory" and not name.startswith(".")
            if below and _exists(mount, f"{name}/{layout.DOM_MD}"):
                raise errors.StorageDomainNotEmpty(f"{mount.root} has {name}/{layout.DOM_MD}")


def build(mount: Files, new: NewDomain, locks: Locks, format_leases: FormatLeases) -> None:
    """Makes the domain; the caller holds the mount and has checked that it is empty.

    Raises StorageDomainTargetUnsupported, StorageDomainBlockSizeMismatch, ClusterLockInitError,
    NoSpaceLeft, InsufficientPermissions, FileWriteError, StorageDomainNotEmpty; then nothing is
    left.
    """
    staging = _NEW + new.uuid
    clean(mount)
    try:
        with writing(str(mount.root)):
            _fill(mount.below(staging), mount, staging, new, locks, format_leases)
        _finish(mount, staging, new.uuid)
    except BaseException:
        _remove(mount, staging)
        raise


def wipe(mount: Files, uuid: str) -> None:
    """Removes a domain with all that is in it; the caller holds the mount.

    It is no domain any more before its first file goes. Raises StorageDomainFormatError.
    """
    clean(mount)
    removed = _REMOVED + uuid
    try:
        mount.rename(uuid, removed)
    except OSError as error:
        raise errors.StorageDomainFormatError(f"{mount.root / uuid}: {error.strerror}") from error
    _remove(mount, removed)


def clean(mount: Files) -> None:
    """Removes what was left by one that was killed. What cannot be removed stays hidden."""
    with reading(str(mount.root)):
        names = mount.list()
    for name in names:
        if name.startswith((_NEW, _REMOVED)):
            log.warning("Removing %s, which was left half done", mount.root / name)
            _remove(mount, name)


def _fill(
    domain: Files,
    mount: Files,
    staging: str,
    new: NewDomain,
    locks: Locks,
    format_leases: FormatLeases,
) -> None:
    mount.mkdir(staging, _DIRECTORY_MODE)
    block_size = _block_size(domain, new.block_size)
    metadata = _metadata(new, block_size)
    domain.mkdir(layout.DOM_MD, DIRECTORY_MODE)
    for path in (layout.IDS, layout.LEASES):
        domain.create(path)  # sanlock makes them as large as it needs
    for path in (layout.INBOX, layout.OUTBOX):
        domain.create(path, MAILBOX_SIZE)
    if has_external_leases(new.version, new.kind):
        domain.create(layout.XLEASES)
        format_leases(domain, metadata)
    domain.write(layout.METADATA, domain_metadata.encode(metadata))
    domain.mkdir(layout.IMAGES, _DIRECTORY_MODE)
    if new.domain_class is DomainClass.ISO:
        domain.mkdir(layout.image(ISO_IMAGE), _DIRECTORY_MODE)
    lock_of(locks, domain.root, metadata).init()


def _block_size(domain: Files, asked: int) -> int:
    """The block size of the storage, which must be the one that was asked for."""
    domain.create(_PROBE)
    try:
        found = domain.probe_block_size(_PROBE)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        raise errors.StorageDomainTargetUnsupported(
            f"{domain.root.parent} takes no direct I/O"
        ) from error
    domain.unlink(_PROBE)
    if asked not in (BLOCK_SIZE_AUTO, found):
        raise errors.StorageDomainBlockSizeMismatch(f"blockSize is {asked}, of the storage {found}")
    return found


def _metadata(new: NewDomain, block_size: int) -> DomainMetadata:
    return DomainMetadata(
        uuid=new.uuid,
        version=new.version,
        kind=new.kind,
        role=Role.REGULAR,
        domain_class=new.domain_class,
        description=new.name,
        remote_path=new.remote_path,
        alignment=create_params.alignment(block_size, new.max_hosts),
        block_size=block_size,
    )


def _finish(mount: Files, staging: str, uuid: str) -> None:
    try:
        with writing(str(mount.root / uuid)):
            mount.rename(staging, uuid)
    except errors.FileWriteError as error:
        if isinstance(error.__cause__, OSError) and error.__cause__.errno in _OCCUPIED:
            raise errors.StorageDomainNotEmpty(str(mount.root / uuid)) from error
        raise


def _exists(files: Files, path: str) -> bool:
    """Whether there is anything of this name. What others keep from us is no domain of ours."""
    try:
        return files.exists(path)
    except PermissionError:
        return False


def _remove(mount: Files, name: str) -> None:
    try:
        mount.remove_tree(name)
    except (OSError, errors.StorageError) as error:
        log.warning("Failed to remove %s: %s", mount.root / name, error)
