# SPDX-License-Identifier: GPL-2.0-or-later
"""The data of volumes: the chain that qemu-img reads it from, and how it is written to another."""

from __future__ import annotations

from collections.abc import Sequence

from vdsm.storage import errors
from vdsm.storage.image import preparing
from vdsm.storage.image.preparing import Link
from vdsm.storage.model import Format, VolumeId
from vdsm.storage.protocols import Domains
from vdsm.storage.volume.creation import compat_of
from vdsm.storage.volume.qemu_img import Backing, Image, Operation, QemuImg
from vdsm.storage.volume.store import VolumeStore


class VolumeData:
    """Reads and copies what is in volumes. Who calls holds the images."""

    def __init__(self, domains: Domains, volumes: VolumeStore, qemu_img: QemuImg) -> None:
        self._domains = domains
        self._volumes = volumes
        self._qemu_img = qemu_img

    def chain(self, leaf: VolumeId) -> list[Link]:
        """The chain of a volume, from its base. Raises as preparing.chain_of does."""
        return preparing.chain_of(self._volumes, leaf)

    def images(self, chain: Sequence[Link]) -> list[Image]:
        """The files of a chain, from the top to the base."""
        return [self.image(link) for link in reversed(chain)]

    def image(self, link: Link) -> Image:
        """Raises as VolumeStore.file does."""
        return self._volumes.file(link.volume, link.metadata.format)

    def copy(
        self, source: Sequence[Link], target: Sequence[Link], *, bitmaps: bool = False
    ) -> Operation:
        """What copies the data that a machine sees at the top of `source` to the top of `target`.

        Raises VolumeSizeError when it does not fit, IncorrectFormat for bitmaps of a raw volume.
        """
        top, new = source[-1], target[-1]
        if new.metadata.capacity < top.metadata.capacity:
            raise errors.VolumeSizeError(
                f"{new.volume} has {new.metadata.capacity} bytes, "
                f"and {top.volume} {top.metadata.capacity}"
            )
        if bitmaps and Format.RAW in (top.metadata.format, new.metadata.format):
            raise errors.IncorrectFormat(f"{top.volume} or {new.volume} is RAW: it has no bitmaps")
        return self._qemu_img.convert(
            self.images(source),
            self.image(new),
            backing=backing_of(target),
            compat=compat_of(self._domains.find(new.volume.domain).version),
            preallocation=new.metadata.allocation,
            # A new file is known to be zero, so that holes stay holes, on every server; it has the
            # size of the source.
            create=new.metadata.capacity == top.metadata.capacity,
            bitmaps=bitmaps,
            unordered=preparing.is_raw_preallocated(new.metadata),
        )


def backing_of(chain: Sequence[Link]) -> Backing | None:
    """What the header of a chain's top says of the volume below it."""
    top = chain[-1]
    if not preparing.has_parent(top.metadata):
        return None
    return backing(chain[-2])


def backing(parent: Link) -> Backing:
    """How the header of a volume names its parent, or the link to the template's volume: by a name
    beside it, as the directory may be reached by many paths."""
    return Backing(parent.volume.volume, parent.metadata.format)
