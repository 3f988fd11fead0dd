# SPDX-License-Identifier: GPL-2.0-or-later
"""StorageDomain.create, format and setDescription: what must hold first, then the work."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import Final

from vdsm.storage import errors, specs
from vdsm.storage.domain import create
from vdsm.storage.domain.create import FormatLeases
from vdsm.storage.domain.create_params import NewDomain
from vdsm.storage.domain.file_domain import read_metadata
from vdsm.storage.domain.registry import Locks, MountedDomains
from vdsm.storage.domain_types import DomainType
from vdsm.storage.files import Files, FileSystems
from vdsm.storage.model import DomainMetadata
from vdsm.storage.protocols import Pools, Resource, Resources
from vdsm_contract.errors import AccessDenied
from vdsm_contract.interfaces import Storage
from vdsm_contract.paths import MOUNT_DIR

log = logging.getLogger(__name__)

_NFS: Final = frozenset({"nfs", "nfs4"})
_UNICODE_VERSION: Final = 3
_PATIENCE_S: Final = 10.0  # for other mounts to say that they do not have what is to be made
_READ, _WRITE, _SEARCH = 4, 2, 1

# A domain whose metadata is gone or broken can still be wiped.
_BROKEN: Final = (
    errors.StorageDomainMetadataNotFound,
    errors.MetadataSealIsBroken,
    errors.MetadataKeyError,
    errors.MetadataKeyNotFound,
    errors.MetadataValidationError,
    errors.FileReadError,
)


class Lifecycle:
    """Makes, wipes and names domains. For any thread."""

    def __init__(
        self,
        *,
        domains: MountedDomains,
        filesystems: FileSystems,
        locks: Locks,
        format_leases: FormatLeases,
        resources: Resources,
        pools: Pools,
        storage: Storage,
        directory: Path = MOUNT_DIR,
    ) -> None:
        self._domains = domains
        self._filesystems = filesystems
        self._locks = locks
        self._format_leases = format_leases
        self._resources = resources
        self._pools = pools
        self._storage = storage
        self._directory = directory

    def create(self, new: NewDomain) -> None:
        """Makes a domain on connected storage that has none.

        Raises StorageDomainAlreadyExists, StorageDomainNotMounted, StorageDomainTypeError,
        StorageServerAccessError, StorageDomainNotEmpty, and what create.build raises.
        """
        mount = self._mount_point(new)
        with self._resources.holding(Resource.domain(new.uuid), _mount(mount)):
            self._refuse_existing(new.uuid)
            self._refuse_other_mount(mount, new)
            self._check_access(mount)
            files = self._filesystems.at(mount)
            create.refuse_unless_empty(files)
            create.build(files, new, self._locks, self._format_leases)
            self._domains.forget(new.uuid)
        log.info("Storage domain %s is made on %s", new.uuid, mount)

    def format(self, uuid: str, *, auto_detach: bool) -> None:
        """Removes a domain with all that is in it; one in a pool only with `auto_detach`, and never
        one of the connected pool.

        Raises CannotFormatInConnectedPool, CannotFormatAttached, StorageDomainDoesNotExist,
        StorageDomainFormatError.
        """
        with self._resources.holding(Resource.domain(uuid)):
            pool = self._pools.connected()
            if pool is not None and uuid in self._pools.domains(pool):
                raise errors.CannotFormatInConnectedPool(f"{uuid}, pool {pool}")
            place = self._domains.locate(uuid)
            if not auto_detach:
                _refuse_attached(place.files, uuid)
            mount = place.mounted.target
            with self._resources.holding(_mount(mount)):
                create.wipe(self._filesystems.at(mount), uuid)
            self._domains.forget(uuid)
        log.info("Storage domain %s on %s is wiped", uuid, mount)

    def set_description(self, uuid: str, description: str) -> None:
        """Changes a domain's name, on the SPM of its pool; create_params.name has checked it.

        Raises StorageDomainDoesNotExist, StorageDomainNotInPool, StoragePoolUnknown,
        SpmStatusError, StorageDomainNotMemberOfPool, and what writing the metadata raises.
        """
        domain = self._domains.find(uuid)
        metadata = domain.metadata()
        if not metadata.pools:
            raise errors.StorageDomainNotInPool(f"{uuid} is in none")
        if metadata.version < _UNICODE_VERSION and not description.isascii():
            raise errors.InvalidParameter("description", f"{description!r} is not ASCII")
        pool = metadata.pools[0]
        with self._resources.holding(Resource.domain(uuid, exclusive=False)):
            self._pools.require_spm(pool)
            self._pools.require_member(pool, uuid)
            domain.change_metadata(lambda found: _named(found, description))

    def _mount_point(self, new: NewDomain) -> Path:
        try:
            return specs.mount_point(new.remote_path, self._directory)
        except specs.BadConnection as error:
            raise errors.IllegalRemotePath(f"{new.remote_path!r:.100}: {error}") from None

    def _refuse_existing(self, uuid: str) -> None:
        try:
            place = self._domains.locate(uuid, _PATIENCE_S)
        except errors.StorageDomainDoesNotExist:
            return
        raise errors.StorageDomainAlreadyExists(f"{uuid} on {place.mounted.target}")

    def _refuse_other_mount(self, mount: Path, new: NewDomain) -> None:
        """Only NFS can be told from the rest: a local directory is of any file system."""
        types = {mounted.target: mounted.fs_type for mounted in self._domains.mounts()}
        if mount not in types:
            raise errors.StorageDomainNotMounted(str(mount))
        is_nfs = types[mount] in _NFS
        wrong = not is_nfs if new.kind is DomainType.NFS else is_nfs
        if wrong and new.kind is not DomainType.SHAREDFS:
            raise errors.StorageDomainTypeError(f"{new.kind.name} on {types[mount]}, {mount}")

    def _check_access(self, mount: Path) -> None:
        """The storage may have changed hands since it was connected."""
        check = self._storage.validate_access
        try:
            check("vdsm", ["kvm"], str(mount), _READ | _WRITE | _SEARCH)
            check("qemu", ["qemu", "sanlock"], str(mount), _READ | _SEARCH)
        except AccessDenied as error:
            raise errors.StorageServerAccessError(str(error)) from error


def _mount(mount: Path) -> Resource:
    """Who makes or wipes a domain on a mount is alone there."""
    return Resource(("mount", str(mount)))


def _refuse_attached(files: Files, uuid: str) -> None:
    try:
        metadata, _ = read_metadata(files)
    except _BROKEN as error:
        log.warning("Storage domain %s is wiped though its metadata is broken: %s", uuid, error)
        return
    if metadata.pools:
        raise errors.CannotFormatAttached(f"{uuid}, pool {metadata.pools[0]}")


def _named(metadata: DomainMetadata, description: str) -> DomainMetadata:
    return replace(metadata, description=description)
