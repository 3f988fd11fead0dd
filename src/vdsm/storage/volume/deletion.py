# SPDX-License-Identifier: GPL-2.0-or-later
"""Deleting a volume. Once it has begun it can only be finished: the data may be gone already."""

from __future__ import annotations

import logging
from typing import Final

from vdsm.storage import errors, layout
from vdsm.storage.domain.os_errors import reading
from vdsm.storage.model import BLANK_UUID, VolumeId, VolumeMetadata, VolumeType
from vdsm.storage.protocols import Recovery, Task
from vdsm.storage.volume.creation import remove_files, settle_parent
from vdsm.storage.volume.store import BROKEN, VolumeStore

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
        domain = self._store.domain(volume)
        metadata = self._metadata(volume)
        if metadata and metadata.image != volume.image:
            raise errors.VolumeOwnershipError(f"{volume} belongs to image {metadata.image}")
        if not force:
            if metadata and metadata.volume_type is VolumeType.SHARED:
                raise errors.CannotDeleteSharedVolume(str(volume))
            if self._store.children(volume):
                raise errors.VolumeHasChildren(str(volume))
        task.check()
        parent = metadata.parent if metadata else BLANK_UUID
        task.undo_with(Recovery(FINISH, (domain.uuid, volume.image, volume.volume, parent)))
        self.finish(volume, parent)
        task.commit()

    def finish(self, volume: VolumeId, parent: str) -> None:
        """Removes what is left of it, and makes its parent a leaf; nothing there: no error."""
        remove_files(self._store, volume)
        if parent != BLANK_UUID:
            settle_parent(self._store, volume.domain, volume.image, parent)

    def _metadata(self, volume: VolumeId) -> VolumeMetadata | None:
        """None for a volume whose metadata is broken or gone, by a deletion that did not end."""
        try:
            return self._store.metadata(volume)
        except BROKEN as error:
            log.warning("Metadata of %s: %s", volume, error)
        except errors.VolumeDoesNotExist:
            with reading(str(volume), errors.VolumeAccessError):
                files = self._store.domain(volume).files
                if not files.exists(layout.volume(volume.image, volume.volume)):
                    raise
        return None
