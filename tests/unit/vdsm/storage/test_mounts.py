# SPDX-License-Identifier: GPL-2.0-or-later
"""What mountinfo says is mounted below oVirt's directory."""

from __future__ import annotations

from pathlib import Path

from vdsm.host.tree import HostTree
from vdsm.storage import mounts
from vdsm.storage.mounts import Mounted

DIRECTORY = Path("/rhev/data-center/mnt")

MOUNTINFO = """\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
60 22 0:40 / /rhev/data-center/mnt/server:_a\\040b rw shared:9 master:2 - nfs4 server:/a\\040b rw
61 22 8:1 /data /rhev/data-center/mnt/_data rw - ext4 /dev/sda1 rw
62 61 0:50 / /rhev/data-center/mnt/_data rw - tmpfs none rw
63 22 0:51 / /rhev/data-center/mnt-not rw - tmpfs none rw
64 22 0:52 / /rhev/data-center/mnt rw - tmpfs none rw
"""


def test_mounts_below_a_directory_are_found_with_their_file_systems(tmp_path: Path) -> None:
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/mountinfo").write_text(MOUNTINFO)
    assert mounts.below(HostTree(tmp_path), DIRECTORY) == [
        Mounted(DIRECTORY / "_data", "tmpfs", 62),
        Mounted(DIRECTORY / "server:_a b", "nfs4", 60),
    ]
