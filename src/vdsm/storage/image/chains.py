# SPDX-License-Identifier: GPL-2.0-or-later
"""Chains that changed: the metadata follows what the headers of the volumes say.

A merge takes a volume out of the middle of a chain, or its leaf. When it was interrupted, the
qcow2 headers are right, because the data was moved before them.
"""

from __future__ import annotations

import logging
from dataclasses import replace

from vdsm.storage import errors
from vdsm.storage.image.data import VolumeData
from vdsm.storage.image.preparing import Link
from vdsm.storage.model import (
    BLANK_UUID,
    Format,
    Legality,
    VolumeId,
    VolumeMetadata,
    VolumeType,
    is_uuid,
)
from vdsm.storage.volume.qemu_img import Image, QemuImg
from vdsm.storage.volume.store import VolumeStore

log = logging.getLogger(__name__)


class Chains:
    """Repairs chains. Who calls holds the image alone."""

    def __init__(self, volumes: VolumeStore, data: VolumeData, qemu_img: QemuImg) -> None:
        self._volumes = volumes
        self._data = data
        self._qemu_img = qemu_img

    def reconcile(self, leaf: VolumeId) -> list[str]:
        """Lets the metadata of a chain say what its headers say; the volumes that are left in it,
        from the base. A leaf that is ILLEGAL is not: a merge had put its data into its parent.

        Raises VolumeDoesNotExist, ImageIsNotLegalChain when a header names what is no volume of
        the image or leads back.
        """
        actual = self._by_headers(leaf)
        if self._volumes.metadata(leaf).legality is Legality.ILLEGAL and len(actual) > 1:
            actual.pop()
        self.drop_others(VolumeId(leaf.domain, leaf.image, actual[-1]), actual)
        return actual

    def drop_others(self, leaf: VolumeId, actual: list[str]) -> None:
        """Takes the volumes that are in the chain by its metadata and not in `actual` out of it."""
        gone = [each for each in self._data.chain(leaf) if each.volume.volume not in actual]
        if gone:
            log.info(
                "Taking %s out of the chain of %s", [each.volume.volume for each in gone], leaf
            )
            self.unlink(gone[0], gone[-1])

    def unlink(self, lowest: Link, top: Link) -> None:
        """Takes the volumes from `lowest` to `top` out of their chain: the child of `top` becomes
        that of the parent of `lowest`. A leaf becomes ILLEGAL, so that nobody uses its old data."""
        if top.metadata.volume_type is VolumeType.LEAF:
            self._volumes.change_metadata(top.volume, _illegal)
            return
        parent = lowest.metadata.parent
        for child in self.children(top.volume):
            self._volumes.change_metadata(child, lambda now: replace(now, parent=parent))

    def children(self, volume: VolumeId) -> list[VolumeId]:
        """The volumes of the same image whose parent is `volume`."""
        names = self._volumes.children(volume)
        return [VolumeId(volume.domain, volume.image, name) for name in names]

    def _by_headers(self, leaf: VolumeId) -> list[str]:
        names: list[str] = []
        name = leaf.volume
        while name not in names:
            names.insert(0, name)
            volume = VolumeId(leaf.domain, leaf.image, name)
            metadata = self._volumes.metadata(volume)
            if metadata.format is Format.RAW:
                return names
            image = self._data.image(Link(volume, metadata))
            below = self._below(image)
            if below is None:
                return names
            name = below
        raise errors.ImageIsNotLegalChain(f"the header of a volume below {leaf} leads back to it")

    def _below(self, image: Image) -> str | None:
        backing = self._qemu_img.info(image).backing
        if backing is None:
            return None
        name = backing.rpartition("/")[2]
        if not is_uuid(name) or name == BLANK_UUID:
            raise errors.ImageIsNotLegalChain(f"{image.path} is based on {backing!r:.200}")
        return name


def _illegal(metadata: VolumeMetadata) -> VolumeMetadata:
    return replace(metadata, legality=Legality.ILLEGAL)
