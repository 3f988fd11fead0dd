# SPDX-License-Identifier: GPL-2.0-or-later
"""A storage domain that is a directory on a mount."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from vdsm.storage import errors
from vdsm.storage.domain.os_errors import reading, writing
from vdsm.storage.domain_types import DomainType
from vdsm.storage.files import Files
from vdsm.storage.formats import domain_metadata
from vdsm.storage.keyed_lock import KeyedLock
from vdsm.storage.layout import METADATA
from vdsm.storage.model import DomainClass, DomainMetadata
from vdsm.storage.protocols import ClusterLock

_SIZE_MAX: Final = 1 << 20  # ten times that of a master with as many domains as a pool may have


class FileDomain:
    """Keeps the protocol `Domain`. `changing` is one for all objects of a domain, so that it
    outlives this one; the key is the domain's path."""

    def __init__(
        self,
        mount: Path,
        files: Files,
        lock: ClusterLock,
        metadata: DomainMetadata,
        changing: KeyedLock,
    ) -> None:
        self._mount = mount
        self._files = files
        self._lock = lock
        self._last = metadata
        self._changing = changing

    @property
    def uuid(self) -> str:
        return self._last.uuid

    @property
    def mount(self) -> Path:
        return self._mount

    @property
    def path(self) -> Path:
        return self._files.root

    @property
    def kind(self) -> DomainType:
        return self._last.kind

    @property
    def version(self) -> int:
        return self._last.version

    @property
    def files(self) -> Files:
        return self._files

    @property
    def lock(self) -> ClusterLock:
        return self._lock

    def metadata(self) -> DomainMetadata:
        """Read anew; raises what `read_metadata` raises."""
        self._last, _ = read_metadata(self._files)
        return self._last

    def change_metadata(self, change: Callable[[DomainMetadata], DomainMetadata]) -> DomainMetadata:
        """Reads, changes and writes the metadata; nothing is written when nothing changes.

        `change` must not call this. Raises what `read_metadata` and `change` raise, and of writing
        NoSpaceLeft, InsufficientPermissions, FileWriteError: then the old metadata is in place.
        """
        with self._changing.holding(self.path):
            before, data = read_metadata(self._files)
            after = change(before)
            changed = domain_metadata.encode(after)
            if changed != data:
                with writing(str(self.path / METADATA)):
                    self._files.write(METADATA, changed)
            self._last = after
        return after

    def refuse_unless_data(self) -> None:
        if self._last.domain_class is DomainClass.ISO:
            raise errors.ImagesNotSupported(self.uuid)


def read_metadata(files: Files) -> tuple[DomainMetadata, bytes]:
    """The metadata of the domain whose directory `files` is rooted at, and its bytes.

    Raises StorageDomainMetadataNotFound, FileReadError and the like, StorageDomainAccessError, what
    decoding raises, and MetadataValidationError when it is another domain's.
    """
    path = files.root / METADATA
    try:
        with reading(str(path)):
            data = files.read(METADATA, limit=_SIZE_MAX)
    except errors.FileReadError as error:
        if isinstance(error.__cause__, (FileNotFoundError, NotADirectoryError)):
            raise errors.StorageDomainMetadataNotFound(str(path)) from error
        raise
    metadata = domain_metadata.decode(data, str(path))
    if metadata.uuid != files.root.name:
        raise errors.MetadataValidationError(f"{path} is of the domain {metadata.uuid}")
    return metadata, data
