# SPDX-License-Identifier: GPL-2.0-or-later
"""Copying a volume, with all that it is based on, into one new volume of a new image."""

from __future__ import annotations

from dataclasses import dataclass, replace

from vdsm.storage import errors, layout
from vdsm.storage.domain.os_errors import writing
from vdsm.storage.model import (
    Allocation,
    Format,
    Legality,
    VolumeId,
    VolumeMetadata,
    VolumeType,
    is_uuid,
)
from vdsm.storage.protocols import Task
from vdsm.storage.volume import headers
from vdsm.storage.volume.creation import NewVolume, VolumeCreation
from vdsm.storage.volume.qcow2 import BadHeader
from vdsm.storage.volume.qemu_img import CommandError, Image, QemuImg
from vdsm.storage.volume.store import VolumeStore


@dataclass(frozen=True, slots=True)
class Copy:
    """What a copy is to be: LEAF, or SHARED for a template. With `force` it replaces an image that
    is there."""

    description: str
    volume_type: VolumeType
    format: Format
    allocation: Allocation
    force: bool = False


class VolumeCopying:
    """Copies volumes. Who calls holds the target's image alone and the source's shared."""

    def __init__(self, store: VolumeStore, creation: VolumeCreation, qemu_img: QemuImg) -> None:
        self._store = store
        self._creation = creation
        self._qemu_img = qemu_img

    def copy(self, task: Task, source: VolumeId, target: VolumeId, copy: Copy) -> None:
        """Raises PrepareIllegalVolume, ImageIsNotLegalChain, VolumeAlreadyExists,
        OverwriteImageError, CopyImageError, NoSpaceLeft, TaskAborted, and what creation does."""
        chain = self.images(source)
        metadata = self._store.metadata(source)
        self._make_room(task, target, force=copy.force)
        new = NewVolume(
            capacity=metadata.capacity,
            format=copy.format,
            allocation=copy.allocation,
            disk_type=metadata.disk_type,
            description=copy.description,
            legality=Legality.ILLEGAL,  # until the data is there
        )
        self._creation.create(task, target, new)
        image = Image(self._store.path(target), copy.format)
        operation = self._qemu_img.convert(chain, image, create=False, target_is_zero=True)
        try:
            with task.on_abort(operation.abort):
                operation.run_checked()
        except CommandError as error:
            raise errors.CopyImageError(f"{source}: {error.reason}") from error

        def ready(now: VolumeMetadata) -> VolumeMetadata:
            return replace(now, legality=Legality.LEGAL, volume_type=copy.volume_type)

        self._store.change_metadata(target, ready)

    def images(self, leaf: VolumeId, *, legal: bool = True) -> list[Image]:
        """The chain of a volume as qemu-img reads it, from the top to the base: each in the format
        that its metadata says and on the base that it says. Raises ImageIsNotLegalChain when a
        header says otherwise, and PrepareIllegalVolume unless all are `legal` or need not be."""
        volumes = self._store.of(leaf)
        images = []
        for volume, metadata in volumes.described_chain(leaf):
            if legal and metadata.legality is not Legality.LEGAL:
                raise errors.PrepareIllegalVolume(f"{volume} is {metadata.legality}")
            if metadata.format is Format.COW:
                try:
                    headers.read(volumes.files, volume, metadata)
                except BadHeader as bad:
                    raise errors.ImageIsNotLegalChain(f"{volume}: {bad}") from None
            images.append(volumes.image(volume, metadata.format))
        return images[::-1]

    def _make_room(self, task: Task, target: VolumeId, *, force: bool) -> None:
        there = self._store.of(target)
        files = there.files
        names = [name for name in there.names(target.image) or () if is_uuid(name)]
        if not names:
            return
        if not force:
            if target.volume in names:
                raise errors.VolumeAlreadyExists(str(target))
            raise errors.OverwriteImageError(f"image {target.image}, domain {target.domain}")
        task.check()
        removed = f"{layout.IMAGES}/{layout.REMOVED_IMAGE_PREFIX}{target.image}"
        with writing(f"image {target.image}, domain {target.domain}", errors.OverwriteImageError):
            files.remove_tree(removed)
            files.rename(layout.image(target.image), removed)
            files.remove_tree(removed)
