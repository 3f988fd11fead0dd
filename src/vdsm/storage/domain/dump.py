# SPDX-License-Identifier: GPL-2.0-or-later
"""StorageDomain.dump: all metadata of a domain and of its volumes, for people and for support.

It says what is there, also of a volume whose metadata is broken: that is what it is asked for.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from itertools import islice
from pathlib import PurePosixPath
from typing import Final

import msgspec

from vdsm.jsonrpc.errors import JSON
from vdsm.storage import errors
from vdsm.storage.domain.create import has_external_leases
from vdsm.storage.domain.describe import info
from vdsm.storage.domain.os_errors import reading
from vdsm.storage.files import Files, FileStat
from vdsm.storage.formats import volume_metadata, xleases
from vdsm.storage.layout import IDS, IMAGES, LEASES, META_SUFFIX, XLEASES
from vdsm.storage.model import DomainMetadata, VolumeMetadata, is_uuid
from vdsm.storage.protocols import Domain
from vdsm_contract.interfaces import Storage

log = logging.getLogger(__name__)

_FILES_AT_A_TIME: Final = 500

RESERVED_LEASES: Final = 100
"""Slots of dom_md/leases that are looked at: the first ones are reserved, 1 is the SPM's."""


class Dumps:
    """What StorageDomain.dump answers. For any thread; supervdsm reads the leases of sanlock."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def dump(self, domain: Domain, *, full: bool) -> dict[str, JSON]:
        """StorageDomainDump; with `full` also the leases, where the domain has any.

        Raises what reading the domain raises, MetadataError for an index of external leases that
        is damaged, and supervdsm's errors.
        """
        dumped: dict[str, JSON] = {"metadata": info(domain), "volumes": volumes(domain)}
        if full and domain.lock.supports_volume_leases:
            metadata = domain.metadata()
            dumped["leases"] = self._sanlock(LEASES, domain, metadata, RESERVED_LEASES)
            dumped["lockspace"] = self._sanlock(IDS, domain, metadata, 1)
        if full and has_external_leases(domain.version, domain.kind):
            dumped["xleases"] = external_leases(domain)
        return dumped

    def _sanlock(self, path: str, domain: Domain, metadata: DomainMetadata, slots: int) -> JSON:
        found = self._storage.sanlock_direct_dump(
            str(domain.path / path),
            size=slots * metadata.alignment,
            block_size=metadata.block_size,
            alignment=metadata.alignment,
        )
        leases: list[JSON] = msgspec.to_builtins(found.leases)
        return leases


def external_leases(domain: Domain) -> dict[str, JSON]:
    """XleasesDumpMap: by the lease's name. Raises MetadataError."""
    metadata = domain.metadata()
    layout = xleases.Layout(metadata.alignment, metadata.block_size)
    path = domain.path / XLEASES
    with reading(str(path)):
        data = domain.files.read_at(XLEASES, layout.index_offset, layout.index_size)
    try:
        return {
            record.name: {"offset": record.offset, "updating": record.updating}
            for _, record in xleases.Index(data, layout).leases()
        }
    except xleases.XleasesError as error:
        raise errors.MetadataError(f"{path}: {error}") from error


def volumes(domain: Domain) -> dict[str, JSON]:
    """VolumesDumpMap: by the volume's uuid; a template's volume is listed once.

    A volume whose metadata or data cannot be read has the status INVALID. Raises FileReadError and
    the like when the domain cannot be listed.
    """
    files = domain.files
    with reading(str(domain.path / IMAGES)):
        found = files.scan(IMAGES, depth=2)
    metas = [path for path in found if _is_meta(path)]
    dumps: dict[str, JSON] = {}
    paths = iter(metas)
    while some := list(islice(paths, _FILES_AT_A_TIME)):
        with reading(str(domain.path / IMAGES)):
            contents = _read(files, [f"{IMAGES}/{path}" for path in some])
        for path, data in zip(some, contents, strict=True):
            where = str(domain.path / IMAGES / path)
            dumps[PurePosixPath(path).stem] = _dump(path, data, found, where)
    return dumps


def _is_meta(path: str) -> bool:
    image, _, name = path.partition("/")
    return is_uuid(image) and name.endswith(META_SUFFIX) and is_uuid(name[: -len(META_SUFFIX)])


def _read(files: Files, paths: list[str]) -> list[bytes | None]:
    """The files; when one of them cannot be read it is None, and does not hide the others."""
    try:
        return files.read_many(paths)
    except (OSError, errors.InvalidParameter):
        return [_read_one(files, path) for path in paths]


def _read_one(files: Files, path: str) -> bytes | None:
    try:
        return files.read(path)
    except (OSError, errors.InvalidParameter) as error:
        log.warning("Failed to read %s: %s", files.root / path, error)
        return None


def _dump(path: str, data: bytes | None, found: Mapping[str, FileStat], where: str) -> JSON:
    dump: dict[str, JSON] = {"image": path.partition("/")[0], "status": "INVALID"}
    if data is not None:
        try:
            dump |= {**_described(volume_metadata.decode(data, where)), "status": "OK"}
        except errors.StorageError as error:
            log.warning("%s", error)
    stat = found.get(path.removesuffix(META_SUFFIX))
    if stat is None:
        return dump | {"status": "INVALID"}
    return dump | {"truesize": stat.allocated, "apparentsize": stat.size}


def _described(metadata: VolumeMetadata) -> dict[str, JSON]:
    return {
        "image": metadata.image,
        "parent": metadata.parent,
        "capacity": metadata.capacity,
        "format": metadata.format.value,
        "type": metadata.allocation.value,
        "voltype": metadata.volume_type.value,
        "disktype": metadata.disk_type,
        "description": metadata.description,
        "legality": metadata.legality.value,
        "ctime": metadata.ctime,
        "generation": metadata.generation,
        "sequence": metadata.sequence,
    }
