# SPDX-License-Identifier: GPL-2.0-or-later
"""add_bitmap, remove_bitmap, clear_bitmaps: dirty bitmaps of qcow2 volumes, for backups.

A bitmap marks what a machine wrote since a checkpoint. One is usable when it is enabled and was
stored well by the last who wrote to the image.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from vdsm.storage import errors
from vdsm.storage.image import preparing
from vdsm.storage.image.data import VolumeData
from vdsm.storage.image.preparing import Link
from vdsm.storage.model import Format
from vdsm.storage.sdm.copying import refuse_shared
from vdsm.storage.sdm.job import StorageJob, Work
from vdsm.storage.sdm.params import Endpoint
from vdsm.storage.sdm.volume_work import VolumeWork
from vdsm.storage.volume.qemu_img import Bitmap, CommandError, Image, QemuImg

log = logging.getLogger(__name__)


class Bitmaps:
    """The works of the three jobs, and what a merge needs of bitmaps."""

    def __init__(self, work: VolumeWork, data: VolumeData, qemu_img: QemuImg) -> None:
        self._work = work
        self._data = data
        self._qemu_img = qemu_img

    def add(self, endpoint: Endpoint, name: str) -> Work:
        """The bitmap must not be in any volume of the chain: AddBitmapError."""

        def change(path: Path, chain: Sequence[Link]) -> None:
            for image in self._data.images(chain):
                if name in self._names(image):
                    raise errors.AddBitmapError(f"{name} is in {image.path} already")
            with _as(errors.AddBitmapError, name):
                self._qemu_img.bitmap_add(path, name)

        return self._changing(endpoint, change)

    def remove(self, endpoint: Endpoint, name: str) -> Work:
        """One that is not there is removed already."""

        def change(path: Path, _chain: Sequence[Link]) -> None:
            if name in self._names(Image(path, Format.COW)):
                self._remove(path, name)

        return self._changing(endpoint, change)

    def clear(self, endpoint: Endpoint) -> Work:
        """Removes all; a template's are refused."""

        def change(path: Path, chain: Sequence[Link]) -> None:
            refuse_shared(chain[-1])
            for name in self._names(Image(path, Format.COW)):
                self._remove(path, name)

        return self._changing(endpoint, change)

    # --- for merges -------------------------------------------------------------------------------

    def prune(self, base: Image, top: Image) -> None:
        """Removes the bitmaps of `base` that have no usable one in `top`: they are of a backup
        that cannot go on, and may be too large for what `base` grows by."""
        if base.format is Format.RAW:
            return
        usable = {bitmap.name for bitmap in self._usable(top)}
        for name in self._names(base):
            if name not in usable:
                log.warning("Removing bitmap %s of %s: nothing continues it", name, base.path)
                self._remove(base.path, name)

    def merge(self, base: Image, top: Image, below: Image | None) -> None:
        """Adds what the usable bitmaps of `top` have marked to those of `base`. One that `base`
        lacks is made, unless the volume `below` it has it: then it has a hole, and is useless."""
        there = self._names(base)
        lower = self._names(below) if below is not None else set()
        for bitmap in self._usable(top):
            if bitmap.name not in there:
                if bitmap.name in lower:
                    log.warning("Bitmap %s is not in %s, but below it", bitmap.name, base.path)
                    continue
                with _as(errors.AddBitmapError, bitmap.name):
                    self._qemu_img.bitmap_add(
                        base.path, bitmap.name, granularity=bitmap.granularity
                    )
            with _as(errors.MergeBitmapError, bitmap.name):
                self._qemu_img.bitmap_merge(top.path, bitmap.name, base.path, bitmap.name)

    # ----------------------------------------------------------------------------------------------

    def _changing(self, endpoint: Endpoint, change: Callable[[Path, Sequence[Link]], None]) -> Work:
        def run(job: StorageJob) -> None:
            with self._work.holding(writes=[endpoint.volume]):
                chain = self._data.chain(endpoint.volume)
                preparing.refuse_illegal(chain)
                if chain[-1].metadata.format is not Format.COW:
                    raise errors.IncorrectFormat(f"{endpoint.volume} is RAW: it has no bitmaps")
                job.check()
                with self._work.operation(endpoint.volume, endpoint.generation, illegal=False):
                    change(self._data.image(chain[-1]).path, chain)

        return run

    def _remove(self, path: Path, name: str) -> None:
        with _as(errors.RemoveBitmapError, name):
            self._qemu_img.bitmap_remove(path, name)

    def _names(self, image: Image) -> set[str]:
        if image.format is Format.RAW:
            return set()
        return {bitmap.name for bitmap in self._qemu_img.info(image).bitmaps}

    def _usable(self, image: Image) -> list[Bitmap]:
        if image.format is Format.RAW:
            return []
        bitmaps = self._qemu_img.info(image).bitmaps
        return [each for each in bitmaps if "auto" in each.flags and "in-use" not in each.flags]


@contextmanager
def _as(kind: type[errors.StorageError], name: str) -> Iterator[None]:
    """Gives a failure of qemu-img the number of what it was to do."""
    try:
        yield
    except CommandError as error:
        raise kind(f"{name}: {error.reason}") from error
