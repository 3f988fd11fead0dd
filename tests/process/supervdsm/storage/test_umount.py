# SPDX-License-Identifier: GPL-2.0-or-later
"""Unmounting: what is busy stays, what is asked to be lazy goes, what is no mount is said."""

import errno
import os
from pathlib import Path

import pytest

from process.supervdsm.storage.site import Site, is_held, released
from vdsm_contract import asked
from vdsm_contract.errors import InvalidArgument, UmountFailed


def test_a_busy_mount_stays_and_a_lazy_umount_takes_it_away(site: Site) -> None:
    target = site.target()
    with site.device("ext4") as device:
        site.room.mount(device, target, None, "ext4")
        with open(f"{target}/file", "w"):
            with pytest.raises(UmountFailed) as caught:
                site.room.umount(target)
            assert (caught.value.errno, caught.value.target) == (errno.EBUSY, target)
            assert len(site.mounts(target)) == 1
            site.room.umount(target, lazy=True)
            assert site.mounts(target) == []
            assert is_held(device)
        assert released(device)


def test_force_unmounts_too(site: Site) -> None:
    source, target = site.directory(), site.target()
    site.room.mount(source, target, None, "none")
    site.room.umount(target, force=True)
    assert site.mounts(target) == []


@pytest.mark.parametrize(("name", "number"), [("t", errno.EINVAL), ("no", errno.ENOENT)])
def test_what_is_not_mounted_is_reported(site: Site, name: str, number: int) -> None:
    site.target("t")
    with pytest.raises(UmountFailed) as caught:
        site.room.umount(f"{site.data_center}/mnt/{name}")
    assert caught.value.errno == number
    assert caught.value.reason == os.strerror(number)


def test_the_tree_itself_and_what_is_outside_of_it_are_refused(site: Site, tmp_path: Path) -> None:
    for target in (site.data_center, site.host_root / "rhev", Path("/proc"), tmp_path, site.vdsm):
        with pytest.raises(InvalidArgument) as caught:
            site.room.umount(str(target), lazy=True)
        assert caught.value.field == "fsFile"


def test_a_link_to_a_mount_is_not_followed(site: Site) -> None:
    source, target = site.directory(), site.target()
    site.room.mount(source, target, None, "none")
    (site.data_center / "link").symlink_to(target)
    with pytest.raises(UmountFailed):
        site.room.umount(f"{site.data_center}/link")
    assert len(site.mounts(target)) == 1


def test_an_upgrade_is_told_of_it_and_not_of_what_is_no_mount(site: Site) -> None:
    source, target = site.directory(), site.target()
    site.room.mount(source, target, None, "none")
    site.run_dir.mkdir()
    path = site.run_dir / asked.FILE_NAME
    asked.begin(path)
    with pytest.raises(UmountFailed):
        site.room.umount(f"{site.data_center}/mnt")
    assert asked.read(path).mounts == set()
    site.room.umount(target)
    assert asked.read(path).mounts == {target}
