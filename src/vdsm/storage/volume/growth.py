# SPDX-License-Identifier: GPL-2.0-or-later
"""Making a raw volume larger. The new size counts once the metadata has it: what was added to the
file before is taken off again."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from vdsm.storage import errors, layout
from vdsm.storage.domain.os_errors import reading, writing
from vdsm.storage.model import BLANK_UUID, Allocation, Format, VolumeId, VolumeMetadata, VolumeType
from vdsm.storage.protocols import Recovery, Task
from vdsm.storage.volume.creation import allocate
from vdsm.storage.volume.store import VolumeStore

log = logging.getLogger(__name__)

UNDO: Final = "volume.extend.undo"
"""The recovery of a task that extends a volume: (domain, image, volume, bytes before)."""


class VolumeGrowth:
    """Extends volumes. Who calls holds the image alone."""

    def __init__(self, store: VolumeStore) -> None:
        self._store = store

    def extend(self, task: Task, volume: VolumeId, size: int) -> None:
        """Makes a raw volume `size` bytes large; the same size: no error. A COW volume is left as
        it is, as oVirt does: who has it open may be the only one to write its header. Raises
        VolumeNonWritable, VolumeResizeError, NoSpaceLeft, VolumeExtendingError."""
        volumes = self._store.of(volume)
        metadata = volumes.metadata(volume)
        self._refuse(volume, metadata)
        if metadata.format is Format.COW:
            log.info("%s is COW: its size is changed by who has it open", volume)
            return
        path = layout.volume(volume.image, volume.volume)
        with reading(str(volume), errors.VolumeAccessError):
            before = volumes.files.stat(path).size
        if size < before:
            raise errors.VolumeResizeError(f"{volume} has {before} bytes, more than {size}")
        task.check()
        if size > before:
            ids = (volume.domain, volume.image, volume.volume)
            task.undo_with(Recovery(UNDO, (*ids, str(before))))
            with writing(str(volume), errors.VolumeExtendingError):
                if metadata.allocation is Allocation.PREALLOCATED:
                    allocate(task, volumes.files, path, before, size)
                else:
                    volumes.files.truncate(path, size)
        volumes.change_metadata(volume, lambda now: replace(now, capacity=size))
        task.commit()

    def undo(self, params: Sequence[str]) -> None:
        """Takes off what was added, unless the metadata says that it counts."""
        volume, before = VolumeId(*params[:3]), int(params[3])
        volumes = self._store.of(volume)
        if volumes.metadata(volume).capacity > before:
            return
        with writing(str(volume), errors.VolumeExtendingError):
            volumes.files.truncate(layout.volume(volume.image, volume.volume), before)

    @staticmethod
    def _refuse(volume: VolumeId, metadata: VolumeMetadata) -> None:
        """A raw base below others may grow: a larger volume may be about to be merged into it."""
        base = metadata.parent == BLANK_UUID
        leaf = metadata.volume_type is VolumeType.LEAF
        if metadata.volume_type is VolumeType.SHARED or not (base or leaf):
            raise errors.VolumeNonWritable(str(volume))
