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

from vdsm.jsonrpc.errors import JSON
from vdsm.storage import errors
from vdsm.storage.domain.os_errors import reading
from vdsm.storage.files import Files, FileStat
from vdsm.storage.formats import volume_metadata
from vdsm.storage.layout import IMAGES, META_SUFFIX
from vdsm.storage.model import VolumeMetadata, is_uuid
from vdsm.storage.protocols import Domain

log = logging.getLogger(__name__)

_FILES_AT_A_TIME: Final = 500


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
