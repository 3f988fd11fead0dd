# SPDX-License-Identifier: GPL-2.0-or-later
"""What is told of a volume: by its metadata, its files, qemu-img, and its lease."""

from __future__ import annotations

import logging

from vdsm.jsonrpc.errors import JSON
from vdsm.storage import errors, layout
from vdsm.storage.domain.os_errors import reading
from vdsm.storage.model import Legality, VolumeId, VolumeMetadata
from vdsm.storage.volume import headers
from vdsm.storage.volume.creation import compat_of
from vdsm.storage.volume.qcow2 import BadHeader
from vdsm.storage.volume.qemu_img import CommandError, Image, QemuImg
from vdsm.storage.volume.store import BROKEN, DomainVolumes, VolumeStore

log = logging.getLogger(__name__)


class VolumeLook:
    """Reads volumes. Changes nothing, and needs nobody to hold them."""

    def __init__(self, store: VolumeStore, qemu_img: QemuImg) -> None:
        self._store = store
        self._qemu_img = qemu_img

    def info(self, volume: VolumeId) -> JSON:
        """VolumeInfoResponse; numbers are text, as oVirt has them."""
        volumes = self._store.of(volume)
        result: dict[str, JSON] = {"uuid": volume.volume, "children": []}
        try:
            metadata = volumes.metadata(volume)
            size, allocated = _sizes(volumes, volume)
        except BROKEN as error:
            log.warning("%s", error)
            return result | {"status": "INVALID", "apparentsize": "0", "truesize": "0"}
        result |= _described(metadata)
        result |= {"apparentsize": str(size), "truesize": str(allocated)}
        illegal = metadata.legality is Legality.ILLEGAL
        result["status"] = "ILLEGAL" if illegal else "OK"
        if volumes.domain.lock.supports_volume_leases:
            result["lease"] = _lease(volumes, volume)
        return result

    def sizes(self, volume: VolumeId) -> tuple[int, int]:
        return _sizes(self._store.of(volume), volume)

    def qemu_info(self, volume: VolumeId) -> JSON:
        volumes = self._store.of(volume)
        metadata = volumes.metadata(volume)
        info = self._qemu_img.info(volumes.image(volume, metadata.format))
        result: dict[str, JSON] = {
            "format": info.format,
            "virtualsize": info.virtual_size,
            "actualsize": info.actual_size,
        }
        if info.cluster_size is not None:
            result["clustersize"] = info.cluster_size
        if info.backing is not None:
            result["backingfile"] = info.backing
        if info.compat is not None:
            result["compat"] = info.compat
        if info.bitmaps:
            result["bitmaps"] = [
                {"name": each.name, "granularity": each.granularity, "flags": list(each.flags)}
                for each in info.bitmaps
            ]
        return result

    def verify_untrusted(self, volume: VolumeId) -> None:
        """The header is read here first, so that qemu-img never sees one that names another
        file."""
        volumes = self._store.of(volume)
        metadata = volumes.metadata(volume)
        try:
            header = headers.read(volumes.files, volume, metadata)
        except BadHeader as bad:
            raise errors.ImageVerificationError(f"{volume}: {bad}") from None
        newest = compat_of(volumes.domain.version)
        if header and header.compat > newest:
            raise errors.ImageVerificationError(
                f"{volume}: qcow2 of version {header.compat}, and the domain has {newest} at most"
            )
        try:
            info = self._qemu_img.info_untrusted(Image(volumes.path(volume), metadata.format))
        except CommandError as error:
            raise errors.ImageVerificationError(f"{volume}: {error.reason}") from error
        if info.corrupt:
            raise errors.ImageVerificationError(f"{volume}: it is marked as corrupt")


def _sizes(volumes: DomainVolumes, volume: VolumeId) -> tuple[int, int]:
    try:
        with reading(str(volume), errors.VolumeAccessError):
            stat = volumes.files.stat(layout.volume(volume.image, volume.volume))
    except errors.VolumeAccessError as error:
        if isinstance(error.__cause__, FileNotFoundError | NotADirectoryError):
            raise errors.VolumeDoesNotExist(str(volume)) from None
        raise
    if stat.kind != "file":
        raise errors.VolumeAccessError(f"{volume} is a {stat.kind} and not a file")
    return stat.size, stat.allocated


def _lease(volumes: DomainVolumes, volume: VolumeId) -> JSON:
    lease = volumes.lease(volume)
    result: dict[str, JSON] = {"path": lease.path, "offset": lease.offset}
    try:
        owner = volumes.domain.lock.inquire(lease)
    except errors.StorageError as error:
        log.warning("The lease of %s: %s", volume, error)
        return result
    if owner.host_id:
        return result | {"owners": [owner.host_id], "version": owner.generation}
    return result | {"owners": []}


def _described(metadata: VolumeMetadata) -> dict[str, JSON]:
    return {
        "type": metadata.allocation.value,
        "allocType": metadata.allocation.value,
        "format": metadata.format.value,
        "disktype": metadata.disk_type,
        "voltype": metadata.volume_type.value,
        "capacity": str(metadata.capacity),
        "parent": metadata.parent,
        "description": metadata.description,
        "pool": "",
        "domain": metadata.domain,
        "image": metadata.image,
        "ctime": str(metadata.ctime),
        "mtime": "0",
        "legality": metadata.legality.value,
        "generation": metadata.generation,
        "sequence": metadata.sequence,
    }
