# SPDX-License-Identifier: GPL-2.0-or-later
"""File operations below a root: what each promises, and that nothing leads out."""

from __future__ import annotations

import os
import shutil
import stat
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storage.local_files import LocalFiles, LocalFileSystems
from vdsm.storage import errors
from vdsm.storage.files import Files, FileSystems
from vdsm.storage.outofprocess import operations, rooted, walk


@pytest.fixture
def files(tmp_path: Path) -> Files:
    root = tmp_path / "root"
    root.mkdir()
    filesystems: FileSystems = LocalFileSystems()
    return filesystems.at(root)


def test_a_file_is_replaced_whole_and_has_its_mode(files: Files) -> None:
    old = os.umask(0o077)
    try:
        files.write("metadata", b"one")
        files.write("metadata", b"two", 0o664)
    finally:
        os.umask(old)
    assert files.read("metadata") == b"two"
    assert files.stat("metadata").mode == 0o664
    assert files.list() == ["metadata"]


def test_a_write_goes_over_what_a_kill_left(files: Files) -> None:
    (files.root / "metadata.new").write_bytes(b"half")
    files.write("metadata", b"whole")
    assert files.list() == ["metadata"]


def test_a_write_that_fails_leaves_the_old_contents_and_nothing_else(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    files.write("metadata", b"old")

    def fail(fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space left") as caught:
        files.write("metadata", b"new")
    assert caught.value.filename == str(files.root / "metadata")
    assert files.read("metadata") == b"old"
    assert files.list() == ["metadata"]


def test_a_file_larger_than_the_limit_is_not_read(files: Files) -> None:
    files.write("a", b"12345")
    assert files.read("a", 5) == b"12345"
    with pytest.raises(OSError, match="File too large"):
        files.read("a", 4)


@pytest.mark.parametrize("slow_s", [-1.0, 1000.0])
def test_many_files_are_read_in_their_order_from_near_and_far(
    files: Files, monkeypatch: pytest.MonkeyPatch, slow_s: float
) -> None:
    monkeypatch.setattr(rooted, "_SLOW_S", slow_s)
    monkeypatch.setattr(rooted, "_BATCH", 3)
    for number in range(0, 20, 2):
        files.write(str(number), str(number).encode())
    expected = [None if number % 2 else str(number).encode() for number in range(20)]
    assert files.read_many([str(number) for number in range(20)]) == expected
    assert files.read_many([]) == []
    (files.root / "link").symlink_to("0")
    with pytest.raises(errors.InvalidParameter):
        files.read_many(["0", "1", "2", "3", "link"])


def test_parts_are_read_and_written_in_place(files: Files) -> None:
    files.create("a", 3 * 4096)
    inode = files.stat("a").inode
    files.write_at("a", 4096, b"x" * 4096)
    files.write_at("a", 1, b"yz", direct=False)
    assert files.read_at("a", 0, 4096)[:4] == b"\0yz\0"
    assert files.read_at("a", 8191, 2, direct=False) == b"x\0"
    assert len(files.read_at("a", 8192, 1 << 20)) == 4096
    assert files.read_at("a", 1 << 20, 4096) == b""
    assert files.stat("a").inode == inode


def test_allocating_keeps_what_is_there(files: Files) -> None:
    files.write("a", b"data")
    files.allocate("a", 0, 1 << 20)
    found = files.stat("a")
    assert (found.size, found.allocated >= 1 << 20) == (1 << 20, True)
    assert files.read("a", 1 << 20)[:5] == b"data\0"


def test_allocating_where_the_file_system_cannot_writes_zeros(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operations, "_fallocate", lambda *_: 95)
    files.create("a", 1 << 16)
    files.write_at("a", 4096, b"x" * 4096)
    files.allocate("a", 0, 3 << 20)
    found = files.stat("a")
    assert (found.size, found.allocated >= 3 << 20) == (3 << 20, True)
    assert files.read_at("a", 4096, 4096) == b"x" * 4096


def test_directories_are_made_with_their_mode_and_removed_with_all_in_them(files: Files) -> None:
    files.mkdir("a/b/c", parents=True)
    files.mkdir("a/b/d", 0o700)
    files.write("a/b/d/e", b"")
    assert [files.stat(name).mode for name in ("a", "a/b/c", "a/b/d")] == [0o775, 0o775, 0o700]
    with pytest.raises(FileExistsError):
        files.mkdir("a")
    with pytest.raises(OSError, match="not empty"):
        files.rmdir("a/b")
    files.remove_tree("a")
    files.remove_tree("a")
    assert files.list() == []


def test_links_are_removed_and_not_what_they_lead_to(files: Files, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "kept").touch()
    files.mkdir("a")
    (files.root / "a/link").symlink_to(secret)
    files.remove_tree("a")
    (files.root / "link").symlink_to(secret)
    files.remove_tree("link")
    assert (secret / "kept").exists()
    assert files.list() == []


def test_files_are_found_by_the_end_of_their_names(files: Files) -> None:
    files.mkdir("a/b", parents=True)
    for path in ("1.meta", "a/2.meta", "a/2", "a/b/3.meta"):
        files.create(path)
    (files.root / "link").symlink_to("a")
    assert files.find(".meta") == ["1.meta"]
    assert sorted(files.find(".meta", depth=2)) == ["1.meta", "a/2.meta"]
    assert sorted(files.find("", "a", depth=2)) == ["2", "2.meta", "b", "b/3.meta"]


def test_a_fifo_in_place_of_a_file_blocks_nobody(files: Files) -> None:
    os.mkfifo(files.root / "fifo")
    for use in (
        lambda: files.read("fifo"),
        lambda: files.truncate("fifo", 0),
        lambda: files.write_at("fifo", 0, b"x" * 512),
    ):
        with pytest.raises(OSError, match="fifo"):
            use()
    files.write("fifo", b"now a file")
    assert files.read("fifo") == b"now a file"


USES: dict[str, Callable[[Files, str], object]] = {
    "read": lambda files, path: files.read(path),
    "read_many": lambda files, path: files.read_many([path]),
    "write": lambda files, path: files.write(path, b"changed"),
    "read_at": lambda files, path: files.read_at(path, 0, 512),
    "write_at": lambda files, path: files.write_at(path, 0, b"x" * 512),
    "create": lambda files, path: files.create(path),
    "truncate": lambda files, path: files.truncate(path, 0),
    "allocate": lambda files, path: files.allocate(path, 0, 1 << 16),
    "list": lambda files, path: files.list(path),
    "find": lambda files, path: files.find("", path, 3),
    "scan": lambda files, path: files.scan(path, 3),
    "stat": lambda files, path: files.stat(path),
    "exists": lambda files, path: files.exists(path),
    "mkdir": lambda files, path: files.mkdir(path, parents=True),
    "rename": lambda files, path: files.rename(path, "renamed"),
    "rename to": lambda files, path: files.rename("file", path),
    "link": lambda files, path: files.link(path, "linked"),
    "link to": lambda files, path: files.link("file", path),
    "unlink": lambda files, path: files.unlink(path),
    "rmdir": lambda files, path: files.rmdir(path),
    "remove_tree": lambda files, path: files.remove_tree(path),
    "chmod": lambda files, path: files.chmod(path, 0o777),
    "sync": lambda files, path: files.sync(path),
    "probe_block_size": lambda files, path: files.probe_block_size(path),
    "read_delay": lambda files, path: files.read_delay(path),
    "space below": lambda files, path: files.below(path).space(),
    "list below": lambda files, path: files.below(path).list(),
}

PARTS = ["file", "directory", "out", "to-secret", "to-file", "..", ".", "", "secret", "a\0b", "new"]


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    use=st.sampled_from(sorted(USES)),
    parts=st.lists(st.sampled_from(PARTS), min_size=1, max_size=4),
    absolute=st.booleans(),
)
def test_no_path_leads_out(tmp_path: Path, use: str, parts: list[str], absolute: bool) -> None:
    """Whatever is asked for: an error or a change below the root, and nothing outside."""
    root, outside = tmp_path / "root", tmp_path / "outside"
    for place in (root, outside):
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
    (outside / "secret").write_bytes(b"secret")
    (root / "file").write_bytes(b"file")
    (root / "directory").mkdir()
    (root / "out").symlink_to(outside)
    (root / "to-secret").symlink_to(outside / "secret")
    (root / "directory/to-file").symlink_to("../file")
    files: Files = LocalFiles(root)
    path = ("/" if absolute else "") + "/".join(parts)
    answer: object = None
    with suppress(OSError, errors.InvalidParameter):
        answer = USES[use](files, path)
    assert "secret" not in repr(answer).replace("to-secret", "")
    assert {place.name for place in tmp_path.iterdir()} == {"outside", "root"}
    assert [file.name for file in outside.iterdir()] == ["secret"]
    assert (outside / "secret").read_bytes() == b"secret"
    assert stat.S_IMODE((outside / "secret").stat().st_mode) & 0o002 == 0


@pytest.mark.parametrize("path", ["..", "a/../b", "/a", "", "a\0b", "\ud800"])
def test_a_path_that_cannot_be_meant_is_refused_by_name(files: Files, path: str) -> None:
    for use in USES.values():
        with pytest.raises(errors.InvalidParameter, match="path"):
            use(files, path)


def test_a_prefix_does_not_hide_what_a_path_is(files: Files) -> None:
    files.mkdir("domain")
    files.write("neighbour", b"secret")
    domain = files.below("domain")
    for path in ("../neighbour", "/neighbour"):
        with pytest.raises(errors.InvalidParameter):
            domain.read(path)


def test_a_link_swapped_in_at_any_time_is_not_followed(tmp_path: Path) -> None:
    """A directory changes places with a link to another one, as fast as it can."""
    root, outside = tmp_path / "root", tmp_path / "outside"
    for place, text in ((root / "real", b"ours"), (outside, b"secret")):
        place.mkdir(parents=True)
        (place / "file").write_bytes(text)
    (root / "link").symlink_to(outside)
    stop = threading.Event()

    def swap() -> None:
        while not stop.is_set():
            for source, target in (("real", "now"), ("now", "real"), ("link", "now")):
                (root / source).rename(root / target)
            (root / "now").rename(root / "link")

    swapping = threading.Thread(target=swap)
    swapping.start()
    seen = set()
    try:
        for _ in range(3000):
            try:
                seen.add(operations.read(os.fsencode(root), b"now/file", 100))
            except (OSError, walk.RefusedPath):
                continue
    finally:
        stop.set()
        swapping.join()
    assert seen <= {b"ours"}
