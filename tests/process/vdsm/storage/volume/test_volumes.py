# SPDX-License-Identifier: GPL-2.0-or-later
"""Volumes with the real workers and the real qemu-img."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from storage.image_site import InlineTask
from storage.volume_site import BASE, OTHER, OTHER_IMAGE, TOP, VolumeSite, volume
from vdsm.storage import errors
from vdsm.storage.model import MIB, Allocation, Format, Legality, VolumeId, VolumeType
from vdsm.storage.outofprocess.pool import WorkerFileSystems
from vdsm.storage.volume.qemu_img import Image, QemuImg
from vdsm.storage.volume.volumes import Copy

DATA = b"guest data" * 1000
COPY = volume(20, OTHER_IMAGE)


class Aborted(InlineTask):
    """A task that is aborted while it moves data."""

    @contextmanager
    def on_abort(self, stop: Callable[[], None]) -> Iterator[None]:
        stop()
        yield


@pytest.fixture(scope="module")
def filesystems() -> Iterator[WorkerFileSystems]:
    filesystems = WorkerFileSystems(timeout_s=60)
    yield filesystems
    filesystems.close()


@pytest.fixture
def site(tmp_path: Path, filesystems: WorkerFileSystems) -> VolumeSite:
    return VolumeSite(tmp_path, filesystems, QemuImg(timeout_s=120))


@pytest.fixture
def chain(site: VolumeSite) -> list[VolumeId]:
    """A raw base with data, and two snapshots."""
    site.create(BASE, capacity=4 * MIB)
    with site.volumes.path(BASE).open("r+b") as file:
        file.write(DATA)
    site.create(TOP, parent=BASE, capacity=4 * MIB)
    site.create(OTHER, parent=TOP, capacity=4 * MIB)
    return [BASE, TOP, OTHER]


def copy(
    site: VolumeSite,
    source: VolumeId,
    target: VolumeId = COPY,
    *,
    task: InlineTask | None = None,
    role: VolumeType = VolumeType.LEAF,
    wanted: Format = Format.RAW,
    allocation: Allocation = Allocation.SPARSE,
    force: bool = False,
) -> InlineTask:
    task = task or InlineTask()
    site.volumes.copy(task, source, target, Copy("copy", role, wanted, allocation, force))
    return task


def test_a_chain_of_snapshots_is_clean(site: VolumeSite, chain: list[VolumeId]) -> None:
    qemu_img = QemuImg()
    assert site.volumes.chain(OTHER) == chain
    for wanted in chain[1:]:
        image = Image(site.volumes.path(wanted), Format.COW)
        assert qemu_img.check(image).corruptions == 0
        assert image.path.stat().st_mode & 0o777 == 0o660
        site.volumes.verify_untrusted(wanted)
    assert qemu_img.compare(site.volumes.images_of_chain(OTHER), site.volumes.images_of_chain(BASE))
    info = site.volumes.qemu_info(OTHER)
    assert isinstance(info, dict)
    assert (info["format"], info["backingfile"], info["compat"]) == ("qcow2", TOP.volume, "1.1")


def test_a_chain_is_measured_down_to_a_base(site: VolumeSite, chain: list[VolumeId]) -> None:
    def required(*, chain: bool = True, base: str | None = None) -> object:
        measured = site.volumes.measure(OTHER, Format.COW, chain=chain, base=base)
        assert isinstance(measured, dict)
        return measured["required"]

    assert required() == required(base=BASE.volume)
    assert required() != required(chain=False)
    assert required(chain=False) == required(base=TOP.volume)
    with pytest.raises(errors.InvalidParameter, match="baseID"):
        required(base=COPY.volume)
    assert len(chain) == 3


@pytest.mark.parametrize("wanted", Format)
@pytest.mark.parametrize("allocation", Allocation)
def test_a_chain_is_copied_into_a_template(
    site: VolumeSite, chain: list[VolumeId], wanted: Format, allocation: Allocation
) -> None:
    copy(site, chain[-1], role=VolumeType.SHARED, wanted=wanted, allocation=allocation)
    metadata = site.volumes.metadata(COPY)
    assert (metadata.volume_type, metadata.legality) == (VolumeType.SHARED, Legality.LEGAL)
    assert (metadata.capacity, metadata.description) == (4 * MIB, "copy")
    images = site.volumes.images_of_chain(COPY)
    assert QemuImg().compare(images, site.volumes.images_of_chain(OTHER))
    clone = volume(21)
    site.create(clone, parent=COPY, capacity=4 * MIB)
    assert site.volumes.chain(clone) == [COPY, clone]
    assert QemuImg().compare(site.volumes.images_of_chain(clone), images)


def test_a_copy_that_is_aborted_leaves_nothing(site: VolumeSite, chain: list[VolumeId]) -> None:
    before = site.snapshot()
    task = Aborted()
    with pytest.raises(errors.TaskAborted):
        copy(site, chain[-1], task=task)
    site.recover(task)
    assert site.snapshot() == before


def test_an_image_is_replaced_only_by_force(site: VolumeSite, chain: list[VolumeId]) -> None:
    copy(site, BASE)
    before = site.snapshot()
    with pytest.raises(errors.VolumeAlreadyExists):
        copy(site, BASE)
    with pytest.raises(errors.OverwriteImageError):
        copy(site, BASE, volume(22, OTHER_IMAGE))
    assert site.snapshot() == before
    copy(site, chain[-1], volume(22, OTHER_IMAGE), force=True)
    assert site.volumes.uuids(BASE.domain, OTHER_IMAGE) == [volume(22).volume]


def test_an_illegal_or_broken_chain_is_not_copied(site: VolumeSite, chain: list[VolumeId]) -> None:
    site.set(TOP, legality=Legality.ILLEGAL)
    before = site.snapshot()
    with pytest.raises(errors.PrepareIllegalVolume):
        copy(site, OTHER)
    assert site.snapshot() == before
    site.set(TOP, legality=Legality.LEGAL, parent=OTHER.volume)
    with pytest.raises(errors.ImageIsNotLegalChain):
        copy(site, OTHER)
    site.set(TOP, parent="00000000-0000-0000-0000-000000000000")
    with pytest.raises(errors.ImageIsNotLegalChain, match="is based on"):
        copy(site, OTHER)


def test_bitmaps_go_to_the_snapshot(site: VolumeSite) -> None:
    first, second = volume(30).volume, volume(31).volume
    site.create(BASE, format=Format.COW, bitmap=first)
    site.create(TOP, parent=BASE, add_bitmaps=True, bitmap=second)
    info = site.volumes.qemu_info(TOP)
    assert isinstance(info, dict)
    flags = {"granularity": 65536, "flags": ["auto"]}
    assert info["bitmaps"] == [{"name": first, **flags}, {"name": second, **flags}]


def test_a_link_out_of_the_domain_is_not_followed(site: VolumeSite, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (site.path_of_domain / f"images/{OTHER_IMAGE}").symlink_to(outside)
    with pytest.raises(errors.StorageError):
        site.create(COPY)
    assert list(outside.iterdir()) == []
