# SPDX-License-Identifier: GPL-2.0-or-later
"""Who uses a mount, by what the kernel says of open files."""

import os
from pathlib import Path

import pytest

from supervdsm.storage.users import fuser
from vdsm_contract.errors import InvalidArgument

DATA_CENTER = Path("/rhev/data-center")
MOUNT = "/rhev/data-center/mnt/server:_export"


def process(proc: Path, pid: int, *, cwd: str = "/", fds: tuple[str, ...] = ()) -> None:
    (proc / f"{pid}/fd").mkdir(parents=True)
    (proc / f"{pid}/cwd").symlink_to(cwd)
    (proc / f"{pid}/root").symlink_to("/")
    for number, name in enumerate(fds):
        (proc / f"{pid}/fd/{number}").symlink_to(name)


def test_open_files_and_working_directories_count(tmp_path: Path) -> None:
    process(tmp_path, 10, fds=("/dev/null", f"{MOUNT}/images/a"))
    process(tmp_path, 9, cwd=MOUNT)
    process(tmp_path, 11, fds=(f"{MOUNT}2/a", "/srv" + MOUNT, "socket:[1]"))
    process(tmp_path, 12, fds=(f"{MOUNT}/a (deleted)",))
    (tmp_path / "13").mkdir()  # ends while it is looked at
    (tmp_path / "meminfo").touch()
    assert fuser(MOUNT, data_center=DATA_CENTER, proc=tmp_path) == [9, 10, 12]


@pytest.mark.parametrize(
    "target", ["/", "/rhev/data-center", "/etc", f"{MOUNT}/..", f"{MOUNT}/", "mnt", "", "a\0b"]
)
def test_only_what_is_below_the_data_center_is_told(tmp_path: Path, target: str) -> None:
    process(tmp_path, 10, cwd="/etc")
    with pytest.raises(InvalidArgument):
        fuser(target, data_center=DATA_CENTER, proc=tmp_path)


def test_a_file_of_this_process_is_found(tmp_path: Path) -> None:
    with (tmp_path / "open").open("w"):
        assert os.getpid() in fuser(str(tmp_path), data_center=tmp_path.parent)
