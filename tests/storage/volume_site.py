# SPDX-License-Identifier: GPL-2.0-or-later
"""Volumes on a domain site:

site = VolumeSite(tmp_path)
task = site.create(VOLUME, parent=BASE)
site.killed(lambda task: site.volumes.delete(task, VOLUME), at=3)
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from storage.domain_site import DOMAIN, DomainSite, Killed
from storage.image_site import InlineTask, Recoveries
from vdsm.jsonrpc.errors import JSON
from vdsm.storage import layout
from vdsm.storage.files import FileSystems
from vdsm.storage.model import MIB, Allocation, Format, VolumeId, VolumeType
from vdsm.storage.volume.qemu_img import Backing, Image, QemuImg
from vdsm.storage.volume.volumes import FileVolumes, NewVolume

IMAGE = "11111111-2222-4333-8444-555555555555"
OTHER_IMAGE = "21111111-2222-4333-8444-555555555555"


def volume(number: int, image: str = IMAGE) -> VolumeId:
    return VolumeId(DOMAIN, image, f"31111111-2222-4333-8444-{number:012d}")


BASE, TOP, OTHER = volume(1), volume(2), volume(3)


def header(backing: str | None = None, *, version: int = 3, features: int = 0) -> bytes:
    """The begin of a qcow2 image."""
    name = (backing or "").encode()
    offset = 512 if name else 0
    begin = struct.pack(">4sIQIIQ", b"QFI\xfb", version, offset, len(name), 16, MIB)
    return begin.ljust(72, b"\0") + struct.pack(">Q", features).ljust(440, b"\0") + name


class HeaderWriter(QemuImg):
    """A qemu-img that only knows how to begin an image."""

    def __init__(self) -> None:
        super().__init__("/does-not-exist")

    def create(
        self, image: Image, size: int, *, backing: Backing | None = None, compat: str = "1.1"
    ) -> None:
        version = 3 if compat == "1.1" else 2
        image.path.write_bytes(header(backing.name if backing else None, version=version))


class VolumeSite(DomainSite):
    """One localfs domain, and volumes on it. The recoveries of a task are run by `recover`."""

    def __init__(
        self,
        root: Path,
        filesystems: FileSystems | None = None,
        qemu_img: QemuImg | None = None,
        **domain: Any,
    ) -> None:
        super().__init__(root, filesystems)
        self.path_of_domain = self.made(**domain)
        self.volumes = FileVolumes(self.domains, self.resources, qemu_img or HeaderWriter())
        self.recoveries = Recoveries()
        self.volumes.register(self.recoveries)

    def create(
        self,
        wanted: VolumeId,
        *,
        parent: VolumeId | None = None,
        format: Format | None = None,  # noqa: A002
        allocation: Allocation = Allocation.SPARSE,
        capacity: int = MIB,
        **more: Any,
    ) -> InlineTask:
        """RAW without a parent and COW with one, unless `format`."""
        new = NewVolume(
            capacity=capacity,
            format=format or (Format.COW if parent else Format.RAW),
            allocation=allocation,
            parent=parent,
            **more,
        )
        task = InlineTask()
        self.volumes.create(task, wanted, new)
        return task

    def share(self, wanted: VolumeId) -> None:
        """Makes a volume a template."""
        self.set(wanted, volume_type=VolumeType.SHARED)

    def set(self, wanted: VolumeId, **changes: Any) -> None:
        self.volumes.change_metadata(wanted, lambda now: replace(now, **changes))

    def type_of(self, wanted: VolumeId) -> VolumeType:
        return self.volumes.metadata(wanted).volume_type

    def killed(self, job: Callable[[InlineTask], JSON], at: int) -> InlineTask | None:
        """The task of a job whose process is killed at its `at`th operation; None when it ends
        before."""
        task = InlineTask()
        self.faults.kill_at(at)
        try:
            job(task)
        except Killed:
            return task
        finally:
            self.faults.mend()
        return None

    def recover(self, task: InlineTask) -> None:
        """What the next vdsm does with a task that was not finished."""
        self.recoveries.undo(task)

    def snapshot(self) -> dict[str, bytes]:
        """All below the domain's images, and what the files have in them."""
        images = self.path_of_domain / layout.IMAGES
        return {
            str(path.relative_to(images)): path.read_bytes() if path.is_file() else b""
            for path in sorted(images.rglob("*"))
        }

    def names(self, image: str = IMAGE) -> Sequence[str]:
        directory = self.path_of_domain / layout.image(image)
        return sorted(path.name for path in directory.iterdir())
