# SPDX-License-Identifier: GPL-2.0-or-later
"""Making a volume, and taking back one that was half made.

The `.meta` is written last, so that a volume is listed only when all of it is there. What there was
before is looked at before the way back is recorded: it must never remove another's volume.

The SPM's tasks keep the way back on the disk. A host that is not SPM has no such place: it writes
the metadata first, with a name that says that the rest is garbage (oVirt's `.meta.volatile`), makes
the rest under the volume's lease, and renames them. What a kill left is removed by whoever is asked
for the same volume again.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, replace
from typing import Final

from vdsm.storage import errors, layout
from vdsm.storage.domain.os_errors import writing
from vdsm.storage.files import Files
from vdsm.storage.formats import volume_metadata
from vdsm.storage.model import (
    BLANK_UUID,
    MIB,
    Allocation,
    Format,
    Legality,
    VolumeId,
    VolumeMetadata,
    VolumeType,
)
from vdsm.storage.protocols import Domain, Recovery, Task
from vdsm.storage.volume.qemu_img import Backing, CommandError, Image, QemuImg
from vdsm.storage.volume.store import BROKEN, META_MODE, DomainVolumes, VolumeStore, own

log = logging.getLogger(__name__)

Held = Callable[[], AbstractContextManager[None]]
"""Holds the lease of a volume that is being made, so that no other host takes it for garbage."""

UNDO: Final = "volume.create.undo"
"""The recovery of a task that makes a volume: (domain, image, volume)."""

IMAGE_MODE: Final = 0o755

_FIRST_BLOCK: Final = 4096
"""Always allocated in a raw volume: QEMU finds the alignment of the storage by reading it."""

_CHUNK: Final = 128 * MIB
"""Allocated at a time: where a file system writes zeros instead, it ends within the time limit."""

_COMPAT_11_VERSION: Final = 4


@dataclass(frozen=True, slots=True)
class NewVolume:
    """What a volume is to be. Sizes in bytes; `initial_size` (raw and preallocated only) is what is
    allocated of it at once. `bitmap` is added to it, `add_bitmaps` takes over the parent's."""

    capacity: int
    format: Format
    allocation: Allocation
    disk_type: str = "DATA"
    description: str = ""
    parent: VolumeId | None = None
    initial_size: int | None = None
    legality: Legality = Legality.LEGAL
    sequence: int = 0
    add_bitmaps: bool = False
    bitmap: str | None = None


@dataclass(frozen=True, slots=True)
class _Parent:
    volume: VolumeId
    metadata: VolumeMetadata


def refuse_impossible(new: NewVolume) -> None:
    """Raises VolumeSizeError, IncorrectFormat, InvalidParameter: what needs no look at the
    storage."""
    if new.capacity < 1:
        raise errors.VolumeSizeError(f"{new.capacity} bytes")
    if new.parent and new.format is not Format.COW:
        raise errors.IncorrectFormat(f"a volume that is based on another is COW, not {new.format}")
    if new.initial_size is not None:
        if new.format is not Format.RAW or new.allocation is not Allocation.PREALLOCATED:
            raise errors.InvalidParameter(
                "initialSize", "only a raw preallocated volume of a file domain has one"
            )
        if new.initial_size > new.capacity:
            raise errors.InvalidParameter("initialSize", f"{new.initial_size} is above the size")
    if new.add_bitmaps and not new.parent:
        raise errors.InvalidParameter("addBitmaps", "there is no volume below to take them from")
    if new.bitmap and new.format is not Format.COW:
        raise errors.InvalidParameter("bitmap", "a raw volume has none")


class VolumeCreation:
    """Makes volumes. Who calls holds the image alone, and that of the parent shared."""

    def __init__(self, store: VolumeStore, qemu_img: QemuImg) -> None:
        self._store = store
        self._qemu_img = qemu_img

    def create(
        self, task: Task, volume: VolumeId, new: NewVolume, held: Held | None = None
    ) -> None:
        """`held`: by a host that need not be the SPM. Raises what `refuse_impossible` does,
        VolumeAlreadyExists, SnapshotOfIllegalVolume, VolumeNonShareable, VolumeCannotGetParent,
        NoSpaceLeft, VolumeCreationError, AcquireLockFailure for one that another host is making,
        ..."""
        refuse_impossible(new)
        volumes = self._store.of(volume)
        if held and _is_half_made(volume, volumes.names(volume.image)):
            self._remove_half_made(volumes, volume, held)
        files, names = volumes.files, volumes.names(volume.image)
        if {volume.volume + suffix for suffix in _EXISTS} & set(names or ()):
            raise errors.VolumeAlreadyExists(str(volume))
        parent = _find_parent(volumes, volume, new)
        metadata = _metadata(volume, new)
        encoded = volume_metadata.encode(metadata, volumes.domain.version)  # or refused
        task.check()
        task.undo_with(Recovery(UNDO, (volume.domain, volume.image, volume.volume)))
        with writing(str(volume), errors.VolumeCreationError):
            if names is None:
                files.mkdir(layout.image(volume.image), IMAGE_MODE)
            if held:
                volatile = layout.volume_volatile(volume.image, volume.volume)
                files.write(volatile, encoded, META_MODE)
            if volumes.domain.lock.supports_volume_leases:
                files.create(layout.volume_lease(volume.image, volume.volume))
                volumes.domain.lock.create_lease(volumes.lease(volume))
        with held() if held else nullcontext():
            with writing(str(volume), errors.VolumeCreationError):
                if parent and parent.volume.image != volume.image:
                    _share(volumes.domain, parent.volume, volume.image, names or ())
                self._make_data(task, volumes, volume, new, parent)
                self._take_bitmaps(volumes, volume, new, parent)
                if parent and parent.metadata.volume_type is VolumeType.LEAF:
                    volumes.change_metadata(parent.volume, _internal)
                if held:
                    files.rename(volatile, layout.volume_meta(volume.image, volume.volume))
            if not held:
                volumes.write_metadata(volume, metadata)

    def _remove_half_made(self, volumes: DomainVolumes, volume: VolumeId, held: Held) -> None:
        """Removes what a host left that was killed while it made the volume. Raises
        AcquireLockFailure when it is alive."""
        lock = volumes.domain.lock
        if lock.supports_volume_leases:
            try:
                owner = lock.inquire(volumes.lease(volume)).host_id
            except errors.StorageError:
                owner = 0  # it was killed before there was a lease
            if owner:
                with held():
                    log.info("Host %d, which was making %s, is dead", owner, volume)
        log.info("Removing %s, which was half made", volume)
        self.undo(volume)

    def undo(self, volume: VolumeId) -> None:
        """Removes what there is of a volume that was made or half made, and the image's directory
        when nothing but a template's links is left in it; nothing there: no error. Raises
        VolumeHasChildren for one that others are based on by now."""
        volumes = self._store.of(volume)
        names = volumes.names(volume.image)
        if names is None:
            return
        if volumes.children_in(volumes.raw_metadata(volume.image, names), volume):
            raise errors.VolumeHasChildren(str(volume))
        remove_files(volumes, volume, names)
        _remove_half_written(volumes, volume.image, names)
        settle_parent(volumes, volume.image)
        _remove_empty_image(volumes, volume.image)

    def _make_data(
        self,
        task: Task,
        volumes: DomainVolumes,
        volume: VolumeId,
        new: NewVolume,
        parent: _Parent | None,
    ) -> None:
        path = layout.volume(volume.image, volume.volume)
        if new.format is Format.RAW:
            _make_raw(task, volumes.files, path, new)
            return
        volumes.files.create(path)
        backing = None
        if parent:
            backing = Backing(parent.volume.volume, parent.metadata.format)
        image = Image(volumes.path(volume), Format.COW)
        compat = compat_of(volumes.domain.version)
        try:
            self._qemu_img.create(image, new.capacity, backing=backing, compat=compat)
        except CommandError as error:
            failed = errors.CannotCloneVolume if parent else errors.VolumeCreationError
            raise failed(f"{volume}: {error.reason}") from error
        volumes.files.sync(path)

    def _take_bitmaps(
        self, volumes: DomainVolumes, volume: VolumeId, new: NewVolume, parent: _Parent | None
    ) -> None:
        path = volumes.path(volume)
        try:
            if new.add_bitmaps and parent and parent.metadata.format is Format.COW:
                below = self._qemu_img.info(Image(volumes.path(parent.volume), Format.COW))
                for bitmap in below.bitmaps:
                    if "in-use" in bitmap.flags:  # it was not stored well and says nothing
                        continue
                    self._qemu_img.bitmap_add(
                        path,
                        bitmap.name,
                        granularity=bitmap.granularity,
                        enabled="auto" in bitmap.flags,
                    )
            if new.bitmap:
                self._qemu_img.bitmap_add(path, new.bitmap)
        except CommandError as error:
            raise errors.VolumeCreationError(f"{volume}: {error.reason}") from error


def _find_parent(volumes: DomainVolumes, volume: VolumeId, new: NewVolume) -> _Parent | None:
    if new.parent is None:
        return None
    try:
        metadata = volumes.metadata(new.parent)
    except BROKEN as error:
        raise errors.VolumeCannotGetParent(f"{new.parent}: {error.message}") from error
    if metadata.legality is Legality.ILLEGAL:
        raise errors.SnapshotOfIllegalVolume(str(new.parent))
    shared = metadata.volume_type is VolumeType.SHARED
    if volume.image != new.parent.image and not shared:
        raise errors.VolumeNonShareable(str(new.parent))
    if metadata.image != new.parent.image and not shared:
        raise errors.VolumeOwnershipError(f"{new.parent} belongs to image {metadata.image}")
    if new.capacity < metadata.capacity:
        raise errors.InvalidParameter(
            "size", f"{new.capacity} is less than the parent's {metadata.capacity}"
        )
    volumes.image(new.parent, metadata.format)  # refused when it leads out of the volume
    return _Parent(new.parent, metadata)


def _remove_half_written(volumes: DomainVolumes, image: str, names: Sequence[str]) -> None:
    """Removes metadata whose writing was killed, such as the parent's when it was to become
    internal."""
    with writing(f"image {image}", errors.VolumeUnlinkError):
        for name in names:
            if name.endswith(layout.META_SUFFIX + ".new"):
                volumes.files.unlink(f"{layout.image(image)}/{name}", missing_ok=True)


def _remove_empty_image(volumes: DomainVolumes, image: str) -> None:
    names = volumes.names(image) or []
    raw = volumes.raw_metadata(image, names)
    if own({uuid: volumes.decode(*found) for uuid, found in raw.items()}, image):
        return
    if set(names) <= {uuid + suffix for uuid in raw for suffix in _SUFFIXES}:
        with writing(f"image {image}", errors.VolumeUnlinkError):
            volumes.files.remove_tree(layout.image(image))


def compat_of(domain_version: int) -> str:
    """The newest version of qcow2 that hosts of a domain of this version know."""
    return "1.1" if domain_version >= _COMPAT_11_VERSION else "0.10"


_SUFFIXES = ("", layout.META_SUFFIX, layout.LEASE_SUFFIX)
_EXISTS = ("", layout.META_SUFFIX, layout.VOLATILE_SUFFIX)
_TO_REMOVE = (
    *(layout.META_SUFFIX, layout.META_SUFFIX + ".new", "", layout.LEASE_SUFFIX),
    *(layout.VOLATILE_SUFFIX + ".new", layout.VOLATILE_SUFFIX),
)


def _is_half_made(volume: VolumeId, names: Sequence[str] | None) -> bool:
    there = set(names or ())
    made = volume.volume + layout.META_SUFFIX in there
    return volume.volume + layout.VOLATILE_SUFFIX in there and not made


def remove_files(volumes: DomainVolumes, volume: VolumeId, names: Sequence[str]) -> None:
    """Removes the files of a volume that are among `names`, those of its image's directory. The
    `.meta` is the first: from then on there is no such volume. What says that the rest is garbage
    is the last. Raises VolumeUnlinkError."""
    with writing(str(volume), errors.VolumeUnlinkError):
        for suffix in _TO_REMOVE:
            if volume.volume + suffix in names:
                path = layout.volume(volume.image, volume.volume) + suffix
                volumes.files.unlink(path, missing_ok=True)


def settle_parent(volumes: DomainVolumes, image: str, parent: str | None = None) -> None:
    """Makes `parent` a leaf again when no volume is based on it; None: each volume of the image
    that says it is below another and is not. Nothing when some metadata cannot be read."""
    try:
        described = volumes.image_metadata(image)
    except BROKEN as error:
        log.warning("Leaves of image %s are not known: %s", image, error)
        return
    parents = {metadata.parent for metadata in described.values()}
    for uuid in own(described, image):
        unused = described[uuid].volume_type is VolumeType.INTERNAL and uuid not in parents
        if unused and parent in (None, uuid):
            volumes.change_metadata(VolumeId(volumes.domain.uuid, image, uuid), _leaf)


def allocate(task: Task, files: Files, path: str, start: int, end: int) -> None:
    """Allocates bytes from `start` to `end`, in pieces, so that an abort is heard."""
    for offset in range(start, end, _CHUNK):
        task.check()
        files.allocate(path, offset, min(_CHUNK, end - offset))


def _make_raw(task: Task, files: Files, path: str, new: NewVolume) -> None:
    files.create(path, new.capacity)
    if new.allocation is Allocation.SPARSE:
        first = b"\0" * min(_FIRST_BLOCK, new.capacity)
        files.write_at(path, 0, first, direct=False)
        return
    wanted = new.capacity if new.initial_size is None else new.initial_size
    allocate(task, files, path, 0, min(max(wanted, _FIRST_BLOCK), new.capacity))


def _share(domain: Domain, template: VolumeId, image: str, names: Sequence[str]) -> None:
    """Links the files of a template's volume into an image's directory, the `.meta` first, by which
    the others are known as links; what is there stays."""
    for suffix in (layout.META_SUFFIX, "", layout.LEASE_SUFFIX):
        name = template.volume + suffix
        source = layout.volume(template.image, name)
        if name not in names:
            optional = suffix == layout.LEASE_SUFFIX and not domain.lock.supports_volume_leases
            with suppress(*((FileNotFoundError,) if optional else ())):
                domain.files.link(source, layout.volume(image, name))


def _metadata(volume: VolumeId, new: NewVolume) -> VolumeMetadata:
    return VolumeMetadata(
        capacity=new.capacity,
        ctime=int(time.time()),
        description=new.description,
        disk_type=new.disk_type,
        domain=volume.domain,
        format=new.format,
        image=volume.image,
        legality=new.legality,
        parent=new.parent.volume if new.parent else BLANK_UUID,
        allocation=new.allocation,
        volume_type=VolumeType.LEAF,
        sequence=new.sequence,
    )


def _internal(metadata: VolumeMetadata) -> VolumeMetadata:
    return replace(metadata, volume_type=VolumeType.INTERNAL)


def _leaf(metadata: VolumeMetadata) -> VolumeMetadata:
    return replace(metadata, volume_type=VolumeType.LEAF)
