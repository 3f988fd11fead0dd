# SPDX-License-Identifier: GPL-2.0-or-later
"""Volumes on a file system that is full or read-only: oVirt's error, and nothing changed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from process.vdsm.storage.volume.mounted.conftest import MountedVolumes
from storage.image_site import InlineTask
from storage.volume_site import BASE, OTHER, TOP
from vdsm.storage import errors
from vdsm.storage.model import GIB, MIB, Allocation, Format
from vdsm.storage.volume.volumes import NewVolume

SPARSE_COW = NewVolume(GIB, Format.COW, Allocation.SPARSE)
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
