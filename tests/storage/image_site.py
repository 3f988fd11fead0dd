# SPDX-License-Identifier: GPL-2.0-or-later
"""Images on a domain site: volumes that are made file by file, as another host may have left them.

site = ImageSite(tmp_path)
leaf = site.chain(IMAGE, BASE, LEAF)[-1]
site.images.prepare(BLANK_UUID, leaf)
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from storage.domain_site import DOMAIN, DomainSite
from vdsm.jsonrpc.errors import JSON
from vdsm.storage import errors, layout
from vdsm.storage.files import FileSystems
from vdsm.storage.image.images import Images
from vdsm.storage.image.prepared import PreparedLinks
from vdsm.storage.model import (
    BLANK_UUID,
    MIB,
    Allocation,
    Format,
    Legality,
    VolumeId,
    VolumeMetadata,
    VolumeType,
)
from vdsm.storage.protocols import Recovery
from vdsm.storage.tasks.manager import TaskManager
from vdsm.storage.volume.qemu_img import Bitmap, Image, ImageInfo, QemuImg
from vdsm.storage.volume.volumes import FileVolumes

IMAGE = "11111111-2222-4333-8444-555555555555"
OTHER_IMAGE = "21111111-2222-4333-8444-555555555555"
BASE = "31111111-2222-4333-8444-555555555551"
MIDDLE = "31111111-2222-4333-8444-555555555552"
LEAF = "31111111-2222-4333-8444-555555555553"


class HeadersOnly(QemuImg):
    """A qemu-img that knows of headers what a test says, by volume."""

    def __init__(self) -> None:
        super().__init__("/does-not-exist")
        self.sizes: dict[str, int] = {}
        self.backings: dict[str, str | None] = {}
        self.bitmaps: dict[str, list[Bitmap]] = {}

    def info(self, image: Image) -> ImageInfo:
        name = image.path.name
        return ImageInfo(
            format="qcow2",
            virtual_size=self.sizes.get(name, 0),
            actual_size=0,
            cluster_size=65536,
            backing=self.backings.get(name),
            backing_format=None,
            compat="1.1",
            corrupt=False,
            bitmaps=tuple(self.bitmaps.get(name, ())),
        )


@dataclass
class InlineTask:
    """A task that runs where it is started, and remembers what would undo it."""

    id: str = "61111111-2222-4333-8444-555555555555"
    recoveries: list[Recovery] = field(default_factory=list)
    aborted: bool = False

    def undo_with(self, recovery: Recovery) -> None:
        self.recoveries.append(recovery)

    def commit(self) -> None:
        self.recoveries.clear()

    def check(self) -> None:
        if self.aborted:
            raise errors.TaskAborted(self.id)

    @contextmanager
    def on_abort(self, _stop: Callable[[], None]) -> Iterator[None]:
        self.check()
        yield


class Recoveries(TaskManager):
    """Undoes what a test's task would."""

    def __init__(self) -> None:
        self._functions: dict[str, Callable[[Sequence[str]], None]] = {}
        super().__init__()

    def register(self, name: str, undo: Callable[[Sequence[str]], None]) -> None:
        super().register(name, undo)
        self._functions[name] = undo

    def undo(self, task: InlineTask) -> None:
        """As after a crash in which the crash is met again."""
        for recovery in reversed(task.recoveries):
            for _ in range(2):
                self._functions[recovery.name](recovery.params)


class ImageSite(DomainSite):
    """One localfs domain with an `images` of its own; `links` are below `root`."""

    def __init__(
        self,
        root: Path,
        filesystems: FileSystems | None = None,
        qemu_img: QemuImg | None = None,
    ) -> None:
        super().__init__(root, filesystems)
        self.path_of_domain = self.made()
        self.headers = HeadersOnly()
        self.qemu_img = qemu_img or self.headers
        self.store = FileVolumes(self.domains, self.resources, self.qemu_img)
        self.links = PreparedLinks(root / "run/vdsm/storage")
        self.data_center = root / "rhev/data-center"
        self.images = Images(
            self.domains, self.store, self.resources, self.qemu_img, self.links, self.data_center
        )

        self.recoveries = Recoveries()
        self.store.register(self.recoveries)
        self.images.register(self.recoveries)

    def volume(
        self,
        image: str,
        volume: str,
        parent: str = BLANK_UUID,
        *,
        domain: str = DOMAIN,
        format: Format | None = None,  # noqa: A002
        kind: VolumeType = VolumeType.LEAF,
        legality: Legality = Legality.LEGAL,
        owner: str | None = None,
        capacity: int = MIB,
        size: int | None = None,
    ) -> VolumeId:
        """The three files of a volume; RAW without a parent and COW with one, unless `format`."""
        format_ = format or (Format.RAW if parent == BLANK_UUID else Format.COW)
        found = self.domains.find(domain)
        files = found.files
        if not files.exists(layout.image(image)):
            files.mkdir(layout.image(image))
        files.create(layout.volume(image, volume), capacity if size is None else size)
        files.create(layout.volume_lease(image, volume))
        made = VolumeId(domain, image, volume)
        self.store.write_metadata(
            made,
            VolumeMetadata(
                capacity=capacity,
                ctime=1,
                description="",
                disk_type="DATA",
                domain=domain,
                format=format_,
                image=owner or image,
                legality=legality,
                parent=parent,
                allocation=Allocation.SPARSE,
                volume_type=kind,
            ),
        )
        return made

    def chain(self, image: str, *volumes: str) -> list[VolumeId]:
        """A chain from its base to its leaf."""
        made = []
        parent = BLANK_UUID
        for name in volumes:
            leaf = name == volumes[-1]
            kind = VolumeType.LEAF if leaf else VolumeType.INTERNAL
            made.append(self.volume(image, name, parent, kind=kind))
            self.headers.backings[name] = None if parent == BLANK_UUID else f"../{image}/{parent}"
            parent = name
        return made

    def template(self, image: str, volume: str, *users: str) -> VolumeId:
        """A template's volume, and the hard links of the images that are based on it."""
        made = self.volume(image, volume, kind=VolumeType.SHARED)
        for user in users:
            (self.directory_of(user)).mkdir(exist_ok=True)
            for suffix in ("", layout.META_SUFFIX, layout.LEASE_SUFFIX):
                name = f"{volume}{suffix}"
                os.link(self.directory_of(image) / name, self.directory_of(user) / name)
        return made

    def directory_of(self, image: str) -> Path:
        return self.path_of_domain / layout.image(image)

    def names(self) -> list[str]:
        """What is in the domain's directory of images."""
        return sorted(path.name for path in (self.path_of_domain / layout.IMAGES).iterdir())


def run(job: Callable[[InlineTask], JSON], task: InlineTask | None = None) -> InlineTask:
    """Runs a job; its task afterwards."""
    task = task or InlineTask()
    job(task)
    return task


def metadata_of(site: ImageSite, volumes: Sequence[VolumeId]) -> list[VolumeMetadata]:
    return [site.store.metadata(volume) for volume in volumes]
