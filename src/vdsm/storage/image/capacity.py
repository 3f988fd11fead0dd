# SPDX-License-Identifier: GPL-2.0-or-later
"""Repair of a capacity that is smaller in the metadata than the volume is.

A crash while a volume was extended leaves one. A snapshot that is made of it would get the wrong
virtual size, and the data beyond it would be lost to the machine.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

from vdsm.storage import layout
from vdsm.storage.image.preparing import Link
from vdsm.storage.model import Format, VolumeId, VolumeType
from vdsm.storage.protocols import Domain
from vdsm.storage.volume.qemu_img import QemuImg
from vdsm.storage.volume.store import VolumeStore

log = logging.getLogger(__name__)


class CapacityRepair:
    def __init__(self, volumes: VolumeStore, qemu_img: QemuImg) -> None:
        self._volumes = volumes
        self._qemu_img = qemu_img

    def repair(self, domain: Domain, chain: Sequence[Link]) -> None:
        """Looks at each volume of a chain; a template's is never written to. Raises OSError,
        CommandError for a header that qemu-img does not take."""
        for link in chain:
            if link.metadata.volume_type is VolumeType.SHARED:
                continue
            actual, told = self._virtual_size(domain, link), link.metadata.capacity
            if told < actual:
                log.warning("%s: capacity is %d and not %d, as was told", link.volume, actual, told)
                self._set(link.volume, actual)

    def _set(self, volume: VolumeId, capacity: int) -> None:
        self._volumes.change_metadata(volume, lambda now: replace(now, capacity=capacity))

    def _virtual_size(self, domain: Domain, link: Link) -> int:
        if link.metadata.format is Format.RAW:
            path = layout.volume(link.volume.image, link.volume.volume)
            return domain.files.stat(path).size
        return self._qemu_img.info(self._volumes.file(link.volume, Format.COW)).virtual_size
