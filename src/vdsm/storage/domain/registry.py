# SPDX-License-Identifier: GPL-2.0-or-later
"""The storage domains on what is mounted: each is a directory `<mount>/<uuid>` with a dom_md.

A mount whose server is dead answers nobody, and holds up nobody who looks for a domain on another
one: all are looked at side by side. Which domains there are is remembered until they are gone.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from vdsm.host.tree import HostTree
from vdsm.storage import errors, mounts, side_by_side
from vdsm.storage.domain.file_domain import FileDomain, read_metadata
from vdsm.storage.domain.os_errors import reading
from vdsm.storage.domain.search import first
from vdsm.storage.domain_types import DomainType
from vdsm.storage.files import Files, FileSystems
from vdsm.storage.keyed_lock import KeyedLock
from vdsm.storage.layout import DOM_MD, METADATA
from vdsm.storage.model import DomainMetadata, is_uuid
from vdsm.storage.mounts import Mounted
from vdsm.storage.protocols import ClusterLock
from vdsm_contract.paths import MOUNT_DIR

log = logging.getLogger(__name__)

_AT_A_TIME: Final = 32  # mounts that are looked at: more dead ones hold up a search


class Locks(Protocol):
    """Makes the lock of a domain, by what its metadata says; the same one each time."""

    def of(
        self,
        domain: str,
        path: Path,
        *,
        kind: DomainType,
        version: int,
        alignment: int,
        block_size: int,
    ) -> ClusterLock: ...


def lock_of(locks: Locks, path: Path, metadata: DomainMetadata) -> ClusterLock:
    """The lock of the domain in the directory `path`."""
    return locks.of(
        metadata.uuid,
        path,
        kind=metadata.kind,
        version=metadata.version,
        alignment=metadata.alignment,
        block_size=metadata.block_size,
    )


@dataclass(frozen=True, slots=True)
class Place:
    """Where a domain is: its mount, and its files."""

    mounted: Mounted
    files: Files


class MountedDomains:
    """Keeps the protocol `Domains`."""

    def __init__(
        self,
        filesystems: FileSystems,
        tree: HostTree,
        locks: Locks,
        directory: Path = MOUNT_DIR,
    ) -> None:
        self._filesystems = filesystems
        self._tree = tree
        self._locks = locks
        self._directory = directory
        self._changing = KeyedLock()
        self._guard = threading.Lock()
        self._known: dict[str, tuple[Mounted, FileDomain]] = {}

    def mounts(self) -> list[Mounted]:
        """What is mounted below oVirt's directory; says nothing of whether it answers."""
        return mounts.below(self._tree, self._directory)

    def find(self, uuid: str) -> FileDomain:
        """A domain; one that is known is only looked at to see that it is still there.

        Raises StorageDomainDoesNotExist, also when it is on a mount that does not answer, and what
        reading its metadata raises.
        """
        with self._guard:
            mounted, domain = self._known.get(uuid, (None, None))
        if domain is not None:
            if mounted in self.mounts():
                with reading(str(domain.path)):
                    if domain.files.exists(METADATA):
                        return domain
            self.forget(uuid)
        place = self.locate(uuid)
        metadata, _ = read_metadata(place.files)
        lock = lock_of(self._locks, place.files.root, metadata)
        found = FileDomain(place.mounted.target, place.files, lock, metadata, self._changing)
        with self._guard:
            _, domain = self._known.setdefault(uuid, (place.mounted, found))
        return domain

    def locate(self, uuid: str, patience_s: float | None = None) -> Place:
        """Where a domain is, even one with unreadable metadata. Raises StorageDomainDoesNotExist
        when it is on no mount that answers, within `patience_s` seconds or by the workers' limit.
        """
        place = None
        if is_uuid(uuid):
            mounted = self.mounts()
            place = first(lambda one: self._on(one, uuid), mounted, _AT_A_TIME, patience_s)
        if place is None:
            raise errors.StorageDomainDoesNotExist(uuid)
        return place

    def uuids(self) -> list[str]:
        found = side_by_side.each(self._uuids_on, self.mounts(), _AT_A_TIME)
        return sorted({uuid for uuids in found for uuid in uuids})

    def forget(self, uuid: str | None = None) -> None:
        with self._guard:
            if uuid is None:
                self._known.clear()
            else:
                self._known.pop(uuid, None)

    def _on(self, mounted: Mounted, uuid: str) -> Place | None:
        """The place of a domain on one mount; None when it is not there or nobody knows."""
        files = self._filesystems.at(mounted.target)
        try:
            if files.stat(f"{uuid}/{DOM_MD}").kind != "directory":
                return None
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, errors.StorageError) as error:
            _not_searched(mounted, error)
            return None
        return Place(mounted, files.below(uuid))

    def _uuids_on(self, mounted: Mounted) -> list[str]:
        files = self._filesystems.at(mounted.target)
        try:
            return [
                name
                for name in files.list()
                if is_uuid(name) and _exists(files, f"{name}/{METADATA}")
            ]
        except (OSError, errors.StorageError) as error:
            _not_searched(mounted, error)
            return []


def _exists(files: Files, path: str) -> bool:
    """Whether there is a file; one behind a symbolic link is none."""
    try:
        return files.exists(path)
    except errors.InvalidParameter:
        return False


def _not_searched(mounted: Mounted, error: Exception) -> None:
    log.warning("%s was not searched for storage domains: %s", mounted.target, error)
