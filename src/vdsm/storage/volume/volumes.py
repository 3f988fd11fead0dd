# SPDX-License-Identifier: GPL-2.0-or-later
"""Volumes of file domains: all that the verbs and the images ask of them.

What changes a volume is given the task that it belongs to, and holds the image meanwhile; the
`..._held` ones are for callers that hold it already.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from vdsm.jsonrpc.errors import JSON
from vdsm.storage import errors
from vdsm.storage.model import Format, Legality, VolumeId, VolumeMetadata
from vdsm.storage.protocols import Domains, Resource, Resources, Task, Tasks
from vdsm.storage.volume import creation, deletion, growth
from vdsm.storage.volume.copying import Copy, VolumeCopying
from vdsm.storage.volume.creation import Held, NewVolume, VolumeCreation
from vdsm.storage.volume.deletion import VolumeDeletion
from vdsm.storage.volume.growth import VolumeGrowth
from vdsm.storage.volume.look import VolumeLook
from vdsm.storage.volume.qemu_img import Image, QemuImg
from vdsm.storage.volume.store import VolumeStore

__all__ = ["Copy", "FileVolumes", "NewVolume"]


class FileVolumes(VolumeStore):
    """Keeps the protocol Volumes. For any thread."""

    def __init__(self, domains: Domains, resources: Resources, qemu_img: QemuImg) -> None:
        super().__init__(domains)
        self._resources = resources
        self._qemu_img = qemu_img
        self._creation = VolumeCreation(self, qemu_img)
        self._deletion = VolumeDeletion(self)
        self._growth = VolumeGrowth(self)
        self._looking = VolumeLook(self, qemu_img)
        self._copying = VolumeCopying(self, self._creation, qemu_img)

    def register(self, tasks: Tasks) -> None:
        """Makes the recoveries of the tasks of volumes known."""
        tasks.register(creation.UNDO, self._undo_create)
        tasks.register(deletion.FINISH, self._finish_delete)
        tasks.register(growth.UNDO, self._undo_extend)

    # --- what is a task --------------------------------------------------------------------------

    def create(self, task: Task, volume: VolumeId, new: NewVolume) -> JSON:
        """Makes a volume; {"uuid"}. Raises as VolumeCreation.create does. The task can be reverted:
        that removes the volume."""
        parents = [] if new.parent is None else [_shared(new.parent)]
        with self._resources.holding(*_alone(volume), *parents):
            self.create_held(task, volume, new)
        return {"uuid": volume.volume}

    def create_held(
        self, task: Task, volume: VolumeId, new: NewVolume, held: Held | None = None
    ) -> None:
        """`held`: by a host that need not be the SPM; how it holds the new volume's lease."""
        self._creation.create(task, volume, new, held)

    def undo_create_held(self, volume: VolumeId) -> None:
        """Removes a volume that `create_held` made, or half made. Raises VolumeHasChildren."""
        self._creation.undo(volume)

    def delete(self, task: Task, volume: VolumeId, *, force: bool = False) -> JSON:
        """Deletes a volume. Raises as VolumeDeletion.delete does."""
        with self._resources.holding(*_alone(volume)):
            self._deletion.delete(task, volume, force=force)
        return None

    def extend(self, task: Task, volume: VolumeId, size: int) -> JSON:
        """Makes a raw volume `size` bytes large. Raises as VolumeGrowth.extend does."""
        with self._resources.holding(*_alone(volume)):
            self._growth.extend(task, volume, size)
        return None

    def copy(self, task: Task, source: VolumeId, target: VolumeId, copy: Copy) -> JSON:
        """Copies a volume, with all that it is based on; {"uuid"}. Raises as VolumeCopying.copy
        does."""
        with self._resources.holding(
            *_alone(target),
            Resource.domain(source.domain, exclusive=False),
            _shared(source),
        ):
            self._copying.copy(task, source, target, copy)
        return {"uuid": target.volume}

    # --- what is done at once --------------------------------------------------------------------

    def set_description(self, volume: VolumeId, description: str) -> None:
        """What is too long is cut. Raises as `change_metadata` does, and ResourceTimeout."""
        self._set(volume, lambda now: replace(now, description=description))

    def set_legality(self, volume: VolumeId, legality: Legality) -> None:
        """Raises as `change_metadata` does, and ResourceTimeout."""
        self._set(volume, lambda now: replace(now, legality=legality))

    def _set(self, volume: VolumeId, change: Callable[[VolumeMetadata], VolumeMetadata]) -> None:
        """Not while the volume is being deleted: its metadata would be there again."""
        with self._resources.holding(
            Resource.domain(volume.domain, exclusive=False), _shared(volume)
        ):
            self.of(volume).change_metadata(volume, change)

    def images_of_chain(self, leaf: VolumeId) -> list[Image]:
        """The files of a volume and of all that it is based on, from the top to the base, as
        QemuImg takes them. Raises PrepareIllegalVolume, and ImageIsNotLegalChain also when a
        header does not say what the metadata says."""
        return self._copying.images(leaf)

    # --- what only looks -------------------------------------------------------------------------

    def info(self, volume: VolumeId) -> JSON:
        """VolumeInfoResponse; `status` INVALID for a volume whose metadata cannot be used. Raises
        VolumeDoesNotExist."""
        return self._looking.info(volume)

    def sizes(self, volume: VolumeId) -> tuple[int, int]:
        """Bytes: of the file, and of what is allocated of it. Raises VolumeDoesNotExist."""
        return self._looking.sizes(volume)

    def qemu_info(self, volume: VolumeId) -> JSON:
        """QemuImageInfo. Raises VolumeDoesNotExist, CommandError."""
        return self._looking.qemu_info(volume)

    def measure(
        self, volume: VolumeId, target: Format, *, chain: bool = True, base: str | None = None
    ) -> JSON:
        """VolumeMeasureResult: bytes that the data of a volume needs in another format; with
        `chain` of those below as well, down to `base`. Raises InvalidParameter for a base that is
        not below it, ImageIsNotLegalChain, CommandError."""
        images = self._copying.images(volume, legal=False)
        if base is not None:
            below = [image.path.name for image in images]
            if base not in below:
                raise errors.InvalidParameter("baseID", f"{volume} is not based on {base}")
            images = images[: below.index(base) + 1]
        measured = self._qemu_img.measure(images if chain else images[:1], target)
        result: dict[str, JSON] = {
            "required": measured.required,
            "fully-allocated": measured.fully_allocated,
        }
        if measured.bitmaps is not None:
            result["bitmaps"] = measured.bitmaps
        return result

    def verify_untrusted(self, volume: VolumeId) -> None:
        """Refuses what a user uploaded and is not what the metadata says, above all an image that
        names other files. Raises ImageVerificationError."""
        self._looking.verify_untrusted(volume)

    # --- recoveries ------------------------------------------------------------------------------

    def _undo_create(self, params: Sequence[str]) -> None:
        volume = VolumeId(*params)
        with self._resources.holding(*_alone(volume)):
            self._creation.undo(volume)

    def _finish_delete(self, params: Sequence[str]) -> None:
        volume = VolumeId(*params[:3])
        with self._resources.holding(*_alone(volume)):
            self._deletion.finish(volume, params[3])

    def _undo_extend(self, params: Sequence[str]) -> None:
        with self._resources.holding(*_alone(VolumeId(*params[:3]))):
            self._growth.undo(params)


def _alone(volume: VolumeId) -> tuple[Resource, Resource]:
    return (
        Resource.domain(volume.domain, exclusive=False),
        Resource.image(volume.domain, volume.image),
    )


def _shared(volume: VolumeId) -> Resource:
    return Resource.image(volume.domain, volume.image, exclusive=False)
