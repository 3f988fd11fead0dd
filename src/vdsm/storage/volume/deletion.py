# SPDX-License-Identifier: GPL-2.0-or-later
"""Deleting a volume. Once it has begun it can only be finished: the data may be gone already."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Final

from vdsm.storage import errors, layout
from vdsm.storage.model import BLANK_UUID, VolumeId, VolumeMetadata, VolumeType
from vdsm.storage.protocols import Recovery, Task
from vdsm.storage.volume.creation import remove_files, settle_parent
from vdsm.storage.volume.store import BROKEN, DomainVolumes, VolumeStore

log = logging.getLogger(__name__)

FINISH: Final = "volume.delete.finish"
"""The recovery of a task that deletes a volume: (domain, image, volume, parent). It goes on, it
puts nothing back."""


class VolumeDeletion:
    """Deletes volumes. Who calls holds the image alone."""

    def __init__(self, store: VolumeStore) -> None:
        self._store = store

    def delete(self, task: Task, volume: VolumeId, *, force: bool) -> None:
        """Deletes a volume; with `force` also one that is shared or that others are based on.
        Raises VolumeDoesNotExist, CannotDeleteSharedVolume, VolumeHasChildren,
        VolumeOwnershipError, VolumeUnlinkError."""
        volumes = self._store.of(volume)
        names = volumes.names(volume.image) or []
        raw = volumes.raw_metadata(volume.image, names)
        half_made = {volume.volume, volume.volume + layout.VOLATILE_SUFFIX}
        if volume.volume not in raw and not half_made & set(names):
            raise errors.VolumeDoesNotExist(str(volume))
        metadata = _metadata(volumes, volume, raw)
        if metadata and metadata.image != volume.image:
            raise errors.VolumeOwnershipError(f"{volume} belongs to image {metadata.image}")
        if not force:
            if metadata and metadata.volume_type is VolumeType.SHARED:
                raise errors.CannotDeleteSharedVolume(str(volume))
            if volumes.children_in(raw, volume):
                raise errors.VolumeHasChildren(str(volume))
        task.check()
        parent = metadata.parent if metadata else BLANK_UUID
        task.undo_with(Recovery(FINISH, (volume.domain, volume.image, volume.volume, parent)))
        _finish(volumes, volume, parent, names)
        task.commit()

    def finish(self, volume: VolumeId, parent: str) -> None:
        """Removes what is left of it, and makes its parent a leaf; nothing there: no error."""
        volumes = self._store.of(volume)
        _finish(volumes, volume, parent, volumes.names(volume.image) or [])


def _finish(volumes: DomainVolumes, volume: VolumeId, parent: str, names: Sequence[str]) -> None:
    remove_files(volumes, volume, names)
    if parent != BLANK_UUID:
        settle_parent(volumes, volume.image, parent)


def _metadata(
    volumes: DomainVolumes, volume: VolumeId, raw: Mapping[str, tuple[str, bytes]]
) -> VolumeMetadata | None:
    """None for a volume whose metadata is broken or gone, by a deletion that did not end."""
    if volume.volume not in raw:
        return None
    try:
        return volumes.decode(*raw[volume.volume])
    except BROKEN as error:
        log.warning("Metadata of %s: %s", volume, error)
        return None
