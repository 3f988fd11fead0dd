# SPDX-License-Identifier: GPL-2.0-or-later
"""Volumes on a file system that is full or read-only: oVirt's error, and nothing changed."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from process.vdsm.storage.volume.mounted.conftest import MountedVolumes
from storage.image_site import InlineTask
from storage.volume_site import BASE, OTHER, TOP
from vdsm.storage import errors
from vdsm.storage.formats.task_state import JobRecord, TaskRecord, TaskState
from vdsm.storage.model import GIB, MIB, Allocation, Format
from vdsm.storage.tasks.persistence import StoredTask, TaskStore
from vdsm.storage.volume.volumes import NewVolume

SPARSE_COW = NewVolume(GIB, Format.COW, Allocation.SPARSE)
TASK = TaskRecord(OTHER.volume, "createVolume", "spm", "/store", TaskState.QUEUED, 1, 0)
JOB = JobRecord("createVolume", "createVolume")
LARGE = NewVolume(64 * MIB, Format.RAW, Allocation.PREALLOCATED)


def refused(site: MountedVolumes, new: NewVolume, error: type[errors.StorageError]) -> None:
    """A creation that fails, and is undone."""
    before = site.snapshot()
    task = InlineTask()
    with pytest.raises(error):
        site.volumes.create(task, OTHER, new)
    site.recover(task)
    assert site.snapshot() == before


def test_a_volume_that_does_not_fit_is_refused(mounted: Callable[[], MountedVolumes]) -> None:
    site = mounted()
    site.create(BASE)
    refused(site, LARGE, errors.NoSpaceLeft)
    site.create(TOP, parent=BASE)
    assert site.volumes.chain(TOP) == [BASE, TOP]


def test_a_full_file_system_takes_no_volume_and_lets_one_go(
    mounted: Callable[[], MountedVolumes],
) -> None:
    site = mounted()
    site.create(BASE, allocation=Allocation.PREALLOCATED)
    site.fill()
    refused(site, SPARSE_COW, errors.NoSpaceLeft)
    before = site.snapshot()
    task = InlineTask()
    with pytest.raises(errors.NoSpaceLeft):
        site.volumes.extend(task, BASE, 4 * MIB)
    site.recover(task)
    assert site.snapshot() == before
    with pytest.raises(errors.NoSpaceLeft):
        site.volumes.set_description(BASE, "new")
    assert site.snapshot() == before
    site.volumes.delete(InlineTask(), BASE)
    assert site.names() == []


@pytest.mark.parametrize("pages", [0, 1])
def test_a_task_that_does_not_fit_leaves_nothing(
    mounted: Callable[[], MountedVolumes], pages: int
) -> None:
    """Of its two files there is room for none, or for the first; then for both."""
    site = mounted()
    store = TaskStore(site.filesystems.at(site.images))
    filler = site.fill()
    os.truncate(filler, filler.stat().st_size - pages * 4096)
    with pytest.raises(errors.TaskPersistError, match="No space left"):
        store.create(TASK, JOB)
    assert list(site.images.iterdir()) == [filler]
    os.truncate(filler, filler.stat().st_size - 2 * 4096)
    store.create(TASK, JOB)
    assert [one.task for one in store.load() if isinstance(one, StoredTask)] == [TASK]


def test_a_read_only_file_system_is_read_and_nothing_else(
    mounted: Callable[[], MountedVolumes],
) -> None:
    site = mounted()
    site.create(BASE)
    site.make_read_only()
    before = site.snapshot()
    assert site.volumes.chain(BASE) == [BASE]
    with pytest.raises(errors.InsufficientPermissions):
        site.volumes.create(InlineTask(), OTHER, SPARSE_COW)
    with pytest.raises(errors.InsufficientPermissions):
        site.volumes.delete(InlineTask(), BASE)
    with pytest.raises(errors.InsufficientPermissions):
        site.volumes.set_description(BASE, "new")
    assert site.snapshot() == before
