# SPDX-License-Identifier: GPL-2.0-or-later
"""Volumes are deleted to the end once it has begun, and grow only when the metadata says so."""

from __future__ import annotations

import errno
import itertools
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from storage.image_site import InlineTask
from storage.volume_site import BASE, IMAGE, OTHER, OTHER_IMAGE, TOP, VolumeSite, volume
from vdsm.storage import errors
from vdsm.storage.model import BLANK_UUID, MIB, Allocation, VolumeId, VolumeType


@pytest.fixture
def site(tmp_path: Path) -> VolumeSite:
    return VolumeSite(tmp_path)


def delete(site: VolumeSite, wanted: VolumeId, *, force: bool = False) -> InlineTask:
    task = InlineTask()
    site.volumes.delete(task, wanted, force=force)
    return task


def extend(site: VolumeSite, wanted: VolumeId, size: int) -> InlineTask:
    task = InlineTask()
    site.volumes.extend(task, wanted, size)
    return task


# --- delete ---------------------------------------------------------------------------------------


def test_the_parent_of_a_deleted_leaf_is_the_leaf(site: VolumeSite) -> None:
    site.create(BASE)
    before = site.snapshot()
    site.create(TOP, parent=BASE)
    task = delete(site, TOP)
    assert site.snapshot() == before
    assert not task.recoveries


def test_a_parent_with_another_child_stays_internal(site: VolumeSite) -> None:
    site.create(BASE)
    site.create(TOP, parent=BASE)
    site.create(OTHER, parent=BASE)
    delete(site, TOP)
    assert site.type_of(BASE) is VolumeType.INTERNAL


def test_a_clones_template_stays(site: VolumeSite) -> None:
    site.create(BASE)
    site.share(BASE)
    clone = volume(9, OTHER_IMAGE)
    site.create(clone, parent=BASE)
    delete(site, clone)
    assert site.volumes.uuids(BASE.domain, OTHER_IMAGE) == [BASE.volume]
    assert site.type_of(BASE) is VolumeType.SHARED


def test_what_others_need_is_not_deleted(site: VolumeSite) -> None:
    site.create(BASE)
    site.create(TOP, parent=BASE)
    site.create(OTHER)
    site.share(OTHER)
    site.create(volume(9, OTHER_IMAGE), parent=OTHER)
    before = site.snapshot()
    with pytest.raises(errors.VolumeHasChildren):
        delete(site, BASE)
    with pytest.raises(errors.CannotDeleteSharedVolume):
        delete(site, OTHER)
    with pytest.raises(errors.VolumeDoesNotExist):
        delete(site, volume(8), force=True)
    with pytest.raises(errors.VolumeOwnershipError):
        delete(site, VolumeId(BASE.domain, OTHER_IMAGE, OTHER.volume), force=True)
    assert site.snapshot() == before


def test_force_deletes_a_template(site: VolumeSite) -> None:
    site.create(BASE)
    site.share(BASE)
    delete(site, BASE, force=True)
    assert site.names() == []


def test_a_volume_with_torn_metadata_can_be_deleted(site: VolumeSite) -> None:
    site.create(BASE)
    Path(f"{site.volumes.path(BASE)}.meta").write_bytes(b"CAP=")
    delete(site, BASE)
    assert site.names() == []


def test_what_a_crash_left_without_metadata_can_be_deleted(site: VolumeSite) -> None:
    site.create(BASE)
    Path(f"{site.volumes.path(BASE)}.meta").unlink()
    delete(site, BASE)
    assert site.names() == []


def test_a_deletion_that_is_killed_anywhere_is_finished(site: VolumeSite) -> None:
    site.create(BASE)
    before = site.snapshot()
    ended = 0
    for step in itertools.count():
        site.create(TOP, parent=BASE)
        task = site.killed(lambda task: site.volumes.delete(task, TOP), at=step)
        if task is None:
            break
        if task.recoveries:
            site.recover(task)
            ended += 1
        else:
            delete(site, TOP)  # nothing was done yet
        assert site.snapshot() == before
    assert ended > 3


# --- extend ---------------------------------------------------------------------------------------


def test_a_sparse_volume_grows(site: VolumeSite) -> None:
    site.create(BASE)
    task = extend(site, BASE, 3 * MIB)
    assert site.volumes.sizes(BASE)[0] == 3 * MIB
    assert site.volumes.metadata(BASE).capacity == 3 * MIB
    assert not task.recoveries


def test_a_preallocated_volume_grows_with_its_space(site: VolumeSite) -> None:
    site.create(BASE, allocation=Allocation.PREALLOCATED)
    extend(site, BASE, 3 * MIB)
    assert site.volumes.sizes(BASE)[1] >= 3 * MIB


def test_a_base_below_others_grows_and_a_cow_volume_is_left(site: VolumeSite) -> None:
    site.create(BASE)
    site.create(TOP, parent=BASE)
    extend(site, BASE, 3 * MIB)
    assert site.volumes.metadata(BASE).capacity == 3 * MIB
    before = site.snapshot()
    extend(site, TOP, 3 * MIB)
    assert site.snapshot() == before


def test_what_must_not_grow_is_refused(site: VolumeSite) -> None:
    site.create(BASE)
    site.create(OTHER)
    site.share(OTHER)
    before = site.snapshot()
    with pytest.raises(errors.VolumeResizeError):
        extend(site, BASE, 512)
    with pytest.raises(errors.VolumeNonWritable):
        extend(site, OTHER, 3 * MIB)
    with pytest.raises(errors.VolumeDoesNotExist):
        extend(site, TOP, 3 * MIB)
    assert site.snapshot() == before


@pytest.mark.parametrize("allocation", Allocation)
def test_a_growth_that_is_killed_or_fails_anywhere_is_undone(
    site: VolumeSite, allocation: Allocation
) -> None:
    site.create(BASE, allocation=allocation)
    before = site.snapshot()
    for step in itertools.count():
        task = site.killed(lambda task: site.volumes.extend(task, BASE, 2 * MIB), at=step)
        if task is None:
            break
        site.recover(task)
        assert site.snapshot() == before
    assert step > 2
    grown = site.snapshot()
    site.faults.fail_at(step - 2, errno.ENOSPC)
    task = InlineTask()
    with pytest.raises(errors.NoSpaceLeft):
        site.volumes.extend(task, BASE, 3 * MIB)
    site.faults.mend()
    site.recover(task)
    assert site.snapshot() == grown


def test_a_growth_that_counts_is_not_taken_back(site: VolumeSite) -> None:
    """The crash came after the metadata: a VM may use the new size already."""
    site.create(BASE)
    site.create(TOP, parent=BASE)
    site.volumes.extend(InlineTask(), BASE, 2 * MIB)
    undo = (BASE.domain, IMAGE, BASE.volume, str(MIB))
    site.volumes._growth.undo(undo)
    assert site.volumes.sizes(BASE)[0] == 2 * MIB
    assert site.volumes.metadata(BASE).parent == BLANK_UUID


def test_a_volume_that_is_being_deleted_is_not_described(site: VolumeSite) -> None:
    """Its metadata would be written anew after it was removed."""
    site.create(BASE)
    reached, go_on = threading.Event(), threading.Event()

    def hold(_root: Path, operation: str) -> None:
        if operation == "unlink" and not reached.is_set():
            reached.set()
            go_on.wait(20)

    site.faults.fault = hold
    with ThreadPoolExecutor(2) as pool:
        deleted = pool.submit(delete, site, BASE)
        assert reached.wait(20)
        described = pool.submit(site.volumes.set_description, BASE, "new")
        go_on.set()
        deleted.result(20)
        with pytest.raises(errors.VolumeDoesNotExist):
            described.result(20)
    assert site.names() == []
