# SPDX-License-Identifier: GPL-2.0-or-later
"""Files that last, and files that are not to be trusted."""

import os
from pathlib import Path

import pytest

from supervdsm.network.transaction import durable


def test_replace_makes_and_replaces(tmp_path: Path) -> None:
    file = tmp_path / "file"
    durable.replace(file, b"old")
    durable.replace(file, b"new")
    assert file.read_bytes() == b"new"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_what_the_check_forbids_is_not_replaced(tmp_path: Path) -> None:
    file = tmp_path / "file"
    durable.replace(file, b"old")

    def check() -> None:
        assert file.read_bytes() == b"old"
        raise TimeoutError

    with pytest.raises(TimeoutError):
        durable.replace(file, b"new", check=check)
    assert file.read_bytes() == b"old"


def test_what_a_full_disk_refuses_takes_no_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    durable.replace(path, b"old")

    def full(_fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        durable.replace(path, b"new")
    assert [one.name for one in tmp_path.iterdir()] == ["file"]
    assert path.read_bytes() == b"old"


def test_files_of_a_directory_can_be_read_by_all_whatever_the_umask(tmp_path: Path) -> None:
    umask = os.umask(0o077)
    try:
        durable.write_all(tmp_path / "dir", [(f"file{n}", b"%d" % n) for n in range(200)])
    finally:
        os.umask(umask)
    assert (tmp_path / "dir").stat().st_mode & 0o777 == 0o755
    for number in range(200):
        file = tmp_path / f"dir/file{number}"
        assert (file.read_bytes(), file.stat().st_mode & 0o777) == (b"%d" % number, 0o644)


def test_no_descriptor_is_left_when_a_file_cannot_be_written(tmp_path: Path) -> None:
    before = sorted(Path("/proc/self/fd").iterdir())
    with pytest.raises(FileExistsError):
        durable.write_all(tmp_path / "dir", [("one", b""), ("two", b""), ("one", b"")])
    assert sorted(Path("/proc/self/fd").iterdir()) == before


def test_a_link_is_switched(tmp_path: Path) -> None:
    link = tmp_path / "link"
    for target in ("one", "two"):
        durable.switch_link(link, target)
        assert link.readlink() == Path(target)
    assert [path.name for path in tmp_path.iterdir()] == ["link"]


def test_a_link_takes_the_place_of_a_directory_which_stays(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.mkdir()
    (link / "file").write_text("kept")
    durable.switch_link(link, "one")
    assert link.readlink() == Path("one")
    assert (tmp_path / "one.ln/file").read_text() == "kept"


def test_what_one_that_was_killed_left_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / "file.new").write_text("half")
    durable.replace(tmp_path / "file", b"whole")
    (tmp_path / "one.ln").symlink_to("one")
    durable.switch_link(tmp_path / "link", "one")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "link"]


@pytest.mark.parametrize("what", ["fifo", "link", "directory", "large", "writable"])
def test_what_is_not_root_s_plain_file_is_not_read(tmp_path: Path, what: str) -> None:
    file = tmp_path / "file"
    match what:
        case "fifo":
            os.mkfifo(file)
        case "link":
            file.symlink_to("/etc/hostname")
        case "directory":
            file.mkdir()
        case "large":
            file.write_bytes(bytes(101))
        case _:
            file.write_text("x")
            file.chmod(0o666)
    with pytest.raises(OSError):
        durable.read(file, most=100)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give a file away")
def test_another_user_s_file_is_not_read(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("x")
    os.chown(file, 36, 36)
    with pytest.raises(durable.Untrusted, match="belongs to uid 36"):
        durable.read(file, most=100)


def test_a_new_directory_lasts_in_each_of_those_above_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[Path] = []
    monkeypatch.setattr(durable, "flush_directory", flushed.append)
    durable.make_directory(tmp_path / "one/two", 0o700)
    assert flushed == [tmp_path, tmp_path / "one"]
    assert (tmp_path / "one/two").stat().st_mode & 0o777 == 0o700
    durable.make_directory(tmp_path / "one/two", 0o700)
