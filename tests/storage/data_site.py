# SPDX-License-Identifier: GPL-2.0-or-later
"""Images on a domain site with data in them: volumes that vdsm itself makes with the real qemu-img,
and that a machine has written to."""

from __future__ import annotations

from pathlib import Path

from storage import guest_data
from storage.domain_site import DOMAIN
from storage.image_site import BASE, IMAGE, LEAF, MIDDLE, ImageSite, InlineTask
from vdsm.storage.files import FileSystems
from vdsm.storage.model import MIB, Allocation, Format, VolumeId
from vdsm.storage.volume.qemu_img import QemuImg
from vdsm.storage.volume.volumes import NewVolume


class DataSite(ImageSite):
    """One localfs domain."""

    def __init__(
        self,
        root: Path,
        filesystems: FileSystems | None = None,
        qemu_img: QemuImg | None = None,
    ) -> None:
        super().__init__(root, filesystems, qemu_img or QemuImg())

    def make(
        self,
        volume: str,
        parent: str | None = None,
        *,
        image: str = IMAGE,
        base_image: str | None = None,
        format: Format | None = None,  # noqa: A002
        allocation: Allocation = Allocation.SPARSE,
        capacity: int = 4 * MIB,
    ) -> VolumeId:
        """A volume; `base_image` is the parent's, by default its own."""
        made = VolumeId(DOMAIN, image, volume)
        new = NewVolume(
            capacity=capacity,
            format=format or (Format.COW if parent else Format.RAW),
            allocation=allocation,
            parent=VolumeId(DOMAIN, base_image or image, parent) if parent else None,
        )
        self.store.create(InlineTask(), made, new)
        return made

    def write(self, volume: VolumeId, pattern: int, offset: int, size: int = MIB) -> None:
        kind = self.store.metadata(volume).format
        guest_data.write(self.store.path(volume), kind, pattern, offset, size)

    def holds(self, volume: VolumeId, pattern: int, offset: int, size: int = MIB) -> bool:
        """Whether a machine reads this at the top of a chain."""
        kind = self.store.metadata(volume).format
        return guest_data.holds(self.store.path(volume), kind, pattern, offset, size)

    def three(self) -> list[VolumeId]:
        """A chain in which each volume has written something of its own."""
        base, middle, leaf = self.make(BASE), self.make(MIDDLE, BASE), self.make(LEAF, MIDDLE)
        self.write(base, 1, 0, 3 * MIB)
        self.write(middle, 2, MIB)
        self.write(leaf, 3, 2 * MIB)
        return [base, middle, leaf]

    def is_whole(self, leaf: VolumeId) -> bool:
        """Whether the data of `three` is there."""
        read = [self.holds(leaf, pattern, (pattern - 1) * MIB) for pattern in (1, 2, 3)]
        return all(read) and self.holds(leaf, 0, 3 * MIB)
