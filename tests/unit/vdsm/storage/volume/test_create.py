# SPDX-License-Identifier: GPL-2.0-or-later
"""Volumes are made whole or not at all, wherever it ends, and what is wrong changes nothing."""

from __future__ import annotations

import errno
import itertools
from collections.abc import Callable
from pathlib import Path

import pytest

from storage.image_site import InlineTask
from storage.volume_site import BASE, IMAGE, OTHER, OTHER_IMAGE, TOP, VolumeSite, volume
from vdsm.storage import errors
from vdsm.storage.model import (
    BLANK_UUID,
    MIB,
    Allocation,
    Format,
    Legality,
    VolumeId,
    VolumeType,
)
from vdsm.storage.volume.qcow2 import read_header
from vdsm.storage.volume.volumes import NewVolume


@pytest.fixture
def site(tmp_path: Path) -> VolumeSite:
    return VolumeSite(tmp_path)


def refused(site: VolumeSite, error: type[errors.StorageError], work: Callable[[], object]) -> None:
    """The work is refused with this error, and nothing has changed."""
    before = site.snapshot()
    with pytest.raises(error):
        work()
    assert site.snapshot() == before


def test_a_sparse_raw_volume_has_its_size_and_one_block(site: VolumeSite) -> None:
    site.create(BASE, capacity=10 * MIB, description="disk", sequence=1)
    stat = site.volumes.path(BASE).stat()
    assert (stat.st_size, stat.st_mode & 0o777) == (10 * MIB, 0o660)
    assert stat.st_blocks * 512 <= 64 << 10
    metadata = site.volumes.metadata(BASE)
    assert (metadata.capacity, metadata.format, metadata.sequence) == (10 * MIB, Format.RAW, 1)
    assert (metadata.parent, metadata.volume_type) == (BLANK_UUID, VolumeType.LEAF)
    assert site.names() == [BASE.volume, f"{BASE.volume}.lease", f"{BASE.volume}.meta"]


def test_a_preallocated_volume_has_all_its_space(site: VolumeSite) -> None:
    site.create(BASE, allocation=Allocation.PREALLOCATED, capacity=3 * MIB)
    assert site.volumes.sizes(BASE)[0] == 3 * MIB
    assert site.volumes.sizes(BASE)[1] >= 3 * MIB


def test_a_preallocated_volume_may_begin_with_less(site: VolumeSite) -> None:
    preallocated = Allocation.PREALLOCATED
    site.create(BASE, allocation=preallocated, capacity=8 * MIB, initial_size=MIB)
    size, allocated = site.volumes.sizes(BASE)
    assert size == 8 * MIB
    assert MIB <= allocated < 2 * MIB


def test_a_snapshot_is_based_on_its_parent_by_name(site: VolumeSite) -> None:
    site.create(BASE)
    site.create(TOP, parent=BASE)
    assert read_header(site.volumes.path(TOP).read_bytes()).backing == BASE.volume
    assert site.type_of(BASE) is VolumeType.INTERNAL
    assert site.volumes.chain(TOP) == [BASE, TOP]


def test_domains_before_version_4_get_the_older_qcow2(tmp_path: Path) -> None:
    site = VolumeSite(tmp_path, version=3)
    site.create(BASE, format=Format.COW)
    assert read_header(site.volumes.path(BASE).read_bytes()).compat == "0.10"


def test_a_clone_links_the_volume_of_its_template(site: VolumeSite) -> None:
    site.create(BASE)
    site.share(BASE)
    clone = volume(9, OTHER_IMAGE)
    site.create(clone, parent=BASE)
    link = site.path_of_domain / f"images/{OTHER_IMAGE}/{BASE.volume}"
    assert link.samefile(site.volumes.path(BASE))
    assert site.volumes.chain(clone) == [BASE, clone]
    assert site.type_of(BASE) is VolumeType.SHARED
    second = volume(10, OTHER_IMAGE)
    site.create(second, parent=VolumeId(BASE.domain, OTHER_IMAGE, BASE.volume))
    assert site.volumes.chain(second) == [BASE, second]


def test_what_cannot_be_changes_nothing(site: VolumeSite) -> None:
    site.create(BASE)
    site.create(OTHER, legality=Legality.ILLEGAL)
    foreign = volume(9, OTHER_IMAGE)
    refused(site, errors.VolumeAlreadyExists, lambda: site.create(BASE))
    refused(site, errors.SnapshotOfIllegalVolume, lambda: site.create(TOP, parent=OTHER))
    refused(site, errors.VolumeDoesNotExist, lambda: site.create(TOP, parent=volume(8)))
    refused(site, errors.VolumeNonShareable, lambda: site.create(foreign, parent=BASE))
    raw = Format.RAW
    refused(site, errors.IncorrectFormat, lambda: site.create(TOP, parent=BASE, format=raw))
    refused(site, errors.InvalidParameter, lambda: site.create(TOP, parent=BASE, capacity=512))
    for capacity in (0, -1):
        refused(site, errors.VolumeSizeError, lambda n=capacity: site.create(TOP, capacity=n))  # type: ignore[misc]
    refused(site, errors.InvalidParameter, lambda: site.create(TOP, initial_size=512))
    refused(site, errors.InvalidParameter, lambda: site.create(TOP, add_bitmaps=True))
    refused(site, errors.InvalidParameter, lambda: site.create(TOP, bitmap=BASE.volume))
    refused(site, errors.MetadataOverflow, lambda: site.create(TOP, description="\u20ac" * 210))
    refused(site, errors.MetadataValidationError, lambda: site.create(TOP, description="a\nB=c"))


def test_a_volume_whose_data_is_there_is_not_taken_back(site: VolumeSite) -> None:
    """A stray file may be another's: it is neither used nor removed."""
    site.create(OTHER)
    path = site.volumes.path(BASE)
    path.write_bytes(b"data")
    refused(site, errors.VolumeAlreadyExists, lambda: site.create(BASE))


def test_a_parent_with_broken_metadata_is_named(site: VolumeSite) -> None:
    site.create(BASE)
    Path(f"{site.volumes.path(BASE)}.meta").write_bytes(b"torn")
    refused(site, errors.VolumeCannotGetParent, lambda: site.create(TOP, parent=BASE))


def test_a_volume_that_the_file_system_cannot_hold_is_refused_and_undone(site: VolumeSite) -> None:
    task = InlineTask()
    before = site.snapshot()

    def too_big(_root: Path, operation: str) -> None:
        if operation == "create":
            raise OSError(errno.EFBIG, "File too large")

    site.faults.fault = too_big
    with pytest.raises(errors.VolumeCreationError, match="File too large"):
        site.volumes.create(task, BASE, snapshot_of(None))
    site.faults.mend()
    site.recover(task)
    assert site.snapshot() == before


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_told_and_undone(site: VolumeSite, number: int) -> None:
    site.create(BASE)
    before = site.snapshot()
    seen = 0
    for step in itertools.count():
        task = InlineTask()
        site.faults.fail_at(step, number)
        try:
            site.volumes.create(task, TOP, snapshot_of(BASE))
        except errors.NoSpaceLeft:
            seen += 1
        except errors.StorageError:
            pass  # while it only looked
        else:
            break
        finally:
            site.faults.mend()
        site.recover(task)
        assert site.snapshot() == before
    assert seen > 3


@pytest.mark.parametrize("parent", [None, BASE])
def test_a_creation_that_is_killed_anywhere_is_undone(
    site: VolumeSite, parent: VolumeId | None
) -> None:
    if parent:
        site.create(parent)
    before = site.snapshot()
    new = snapshot_of(parent)
    steps = 0
    while task := site.killed(lambda task: site.volumes.create(task, TOP, new), at=steps):
        site.recover(task)
        assert site.snapshot() == before
        steps += 1
    assert steps > 5
    assert site.volumes.metadata(TOP).legality is Legality.LEGAL


def test_a_clone_that_is_killed_anywhere_leaves_no_links(site: VolumeSite) -> None:
    site.create(BASE)
    site.share(BASE)
    before = site.snapshot()
    clone, new = volume(9, OTHER_IMAGE), snapshot_of(BASE)
    steps = 0
    while task := site.killed(lambda task: site.volumes.create(task, clone, new), at=steps):
        site.recover(task)
        assert site.snapshot() == before
        steps += 1
    assert steps > 8


def test_a_creation_can_be_reverted_until_others_are_based_on_it(site: VolumeSite) -> None:
    site.create(BASE)
    before = site.snapshot()
    task = site.create(TOP, parent=BASE)
    later = site.create(OTHER, parent=TOP)
    with pytest.raises(errors.VolumeHasChildren):
        site.recover(task)
    site.recover(later)
    site.recover(task)
    assert site.snapshot() == before
    assert site.volumes.uuids(BASE.domain, IMAGE) == [BASE.volume]


def test_an_abort_before_the_first_change_leaves_nothing(site: VolumeSite) -> None:
    task = InlineTask(aborted=True)
    before = site.snapshot()
    with pytest.raises(errors.TaskAborted):
        site.volumes.create(task, BASE, snapshot_of(None))
    assert site.snapshot() == before
    assert not task.recoveries


def snapshot_of(parent: VolumeId | None) -> NewVolume:
    return NewVolume(
        capacity=MIB,
        format=Format.COW if parent else Format.RAW,
        allocation=Allocation.SPARSE,
        parent=parent,
    )
