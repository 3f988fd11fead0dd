# SPDX-License-Identifier: GPL-2.0-or-later
"""mountinfo is read with its escapes, its optional fields, and mounts on top of mounts."""

import os

import pytest

from supervdsm.storage import mountinfo
from supervdsm.storage.mountinfo import Mount, parse, topmost


def test_a_line_is_read_with_its_escapes() -> None:
    line = (
        "92 65 7:1 /sub\\134dir /rhev/data-center/mnt/a\\040b\\011c\\012d\\043 rw,nosuid,nodev "
        "shared:3 master:2 - nfs4 server:/with\\040space rw,vers=4.2\n"
    )
    assert parse(line) == Mount(
        id=92,
        parent=65,
        device=os.makedev(7, 1),
        root="/sub\\dir",
        mount_point="/rhev/data-center/mnt/a b\tc\nd#",
        options=frozenset({"rw", "nosuid", "nodev"}),
        fs_type="nfs4",
        source="server:/with space",
    )


def test_a_line_without_optional_fields_and_with_a_dash_as_source_is_read() -> None:
    mount = parse("22 27 0:21 / /- rw - tmpfs - rw")
    assert (mount.mount_point, mount.fs_type, mount.source) == ("/-", "tmpfs", "-")


@pytest.mark.parametrize("line", ["", "x", "1 2 3:4 / /m rw shared:1", "a b c:d / /m rw - t s o"])
def test_what_is_no_line_is_refused(line: str) -> None:
    with pytest.raises((ValueError, IndexError)):
        parse(line)


def _mount(number: int, parent: int, point: str) -> Mount:
    return Mount(number, parent, 0, "/", point, frozenset(), "ext4", "/dev/x")


def test_of_mounts_on_top_of_each_other_the_last_is_found_whatever_its_number() -> None:
    mounts = [_mount(9, 7, "/a"), _mount(7, 1, "/a"), _mount(8, 9, "/a"), _mount(10, 8, "/a/b")]
    assert topmost("/a", 1, mounts) == mounts[2]


def test_a_mount_that_another_one_hides_does_not_count() -> None:
    hidden, cover = _mount(7, 1, "/r/a"), _mount(8, 1, "/r")
    assert topmost("/r/a", 8, [hidden, cover]) is None
    assert topmost("/r/a", 1, [hidden, cover]) == hidden


def test_the_mount_of_an_open_file_is_found() -> None:
    with open("/proc/self/status") as file:
        mount = mountinfo.mount_of(file.fileno(), mountinfo.read())
    assert mount is not None
    assert (mount.mount_point, mount.fs_type) == ("/proc", "proc")
