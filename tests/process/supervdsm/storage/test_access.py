# SPDX-License-Identifier: GPL-2.0-or-later
"""Access is what the kernel grants to a process with the user's ids."""

import os
from pathlib import Path

import pytest

from process.supervdsm.storage.site import Site
from vdsm_contract.errors import AccessDenied, InvalidArgument


def _directory(site: Site, *, owner: tuple[int, int], mode: int) -> str:
    path = site.data_center / "mnt/domain"
    path.mkdir()
    os.chown(path, *owner)
    path.chmod(mode)
    return str(path)


@pytest.mark.parametrize(
    ("user", "groups", "owner", "mode", "perms"),
    [
        ("vdsm", ["kvm"], (36, 36), 0o700, 7),
        ("vdsm", ["kvm"], (0, 36), 0o070, 7),
        ("vdsm", [], (0, 36), 0o070, 7),
        ("qemu", ["qemu", "sanlock"], (36, 36), 0o755, 5),
        ("qemu", ["kvm"], (36, 36), 0o750, 5),
        ("qemu", ["sanlock"], (0, 179), 0o060, 6),
        ("vdsm", [], (0, 0), 0o000, 0),
    ],
)
def test_access_by_owner_group_or_supplementary_group_is_granted(
    site: Site, user: str, groups: list[str], owner: tuple[int, int], mode: int, perms: int
) -> None:
    site.room.validate_access(user, groups, _directory(site, owner=owner, mode=mode), perms)


@pytest.mark.parametrize(
    ("user", "groups", "owner", "mode", "perms", "missing"),
    [
        ("vdsm", ["kvm"], (0, 0), 0o700, 7, "read and write and search"),
        ("vdsm", ["kvm"], (36, 36), 0o500, 7, "write"),
        ("vdsm", ["kvm"], (36, 36), 0o300, 7, "read"),
        ("qemu", ["qemu", "sanlock"], (36, 36), 0o770, 5, "read and search"),
        ("qemu", ["sanlock"], (0, 0), 0o755, 2, "write"),
        ("qemu", [], (36, 36), 0o750, 1, "search"),
    ],
)
def test_what_is_missing_is_named(
    site: Site,
    user: str,
    groups: list[str],
    owner: tuple[int, int],
    mode: int,
    perms: int,
    missing: str,
) -> None:
    path = _directory(site, owner=owner, mode=mode)
    with pytest.raises(AccessDenied) as caught:
        site.room.validate_access(user, groups, path, perms)
    assert (caught.value.user, caught.value.path) == (user, path)
    assert caught.value.missing == missing


def test_a_parent_that_can_not_be_searched_denies(site: Site) -> None:
    path = Path(_directory(site, owner=(36, 36), mode=0o700)) / "inner"
    path.mkdir(mode=0o777)
    with pytest.raises(AccessDenied):
        site.room.validate_access("qemu", ["qemu"], str(path), 5)
    with pytest.raises(AccessDenied, match="search"):
        site.room.validate_access("qemu", ["qemu"], str(path), 0)


def test_a_file_and_a_read_only_mount_are_asked_too(site: Site) -> None:
    source, target = site.directory(), site.target()
    (site.host_root / "data/file").touch(mode=0o644)
    site.room.mount(source, target, "ro", "none")
    site.room.validate_access("vdsm", ["kvm"], f"{target}/file", 4)
    with pytest.raises(AccessDenied, match="write"):
        site.room.validate_access("vdsm", ["kvm"], target, 7)


@pytest.mark.parametrize(
    ("user", "groups", "suffix", "perms", "field"),
    [
        ("root", [], "mnt", 7, "user"),
        ("vdsm", ["disk"], "mnt", 7, "groups"),
        ("vdsm", [], "mnt", 8, "perms"),
        ("vdsm", [], "mnt", -1, "perms"),
        ("vdsm", [], "no", 7, "targetPath"),
        ("vdsm", [], "../..", 7, "targetPath"),
        ("vdsm", [], "link", 0, "targetPath"),
        ("vdsm", [], "link/shadow", 4, "targetPath"),
        ("vdsm", [], "", 4, "targetPath"),
    ],
)
def test_wrong_arguments_and_paths_that_lead_elsewhere_are_refused(
    site: Site, user: str, groups: list[str], suffix: str, perms: int, field: str
) -> None:
    (site.data_center / "link").symlink_to("/etc")
    with pytest.raises(InvalidArgument) as caught:
        site.room.validate_access(user, groups, f"{site.data_center}/{suffix}", perms)
    assert caught.value.field == field


def test_this_process_stays_root_with_its_groups(site: Site) -> None:
    groups = os.getgroups()
    site.room.validate_access("vdsm", ["kvm"], str(site.data_center / "mnt"), 7)
    assert (os.getuid(), os.getgid(), os.getgroups()) == (0, 0, groups)
