# SPDX-License-Identifier: GPL-2.0-or-later
"""No path, however it is written and whatever is planted, leads out of the root."""

import os
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervdsm.policy import paths
from vdsm_contract.errors import InvalidArgument

ROOT = Path("/rhev/data-center")


@given(st.text() | st.text().map("/rhev/data-center/".__add__))
def test_any_string_is_refused_or_is_normal_and_below_the_root(text: str) -> None:
    try:
        relative = paths.below(text, ROOT, field="fsFile")
    except InvalidArgument:
        return
    assert os.path.normpath(text) == text == f"{ROOT}/{relative}"
    assert relative
    assert text.isprintable()


@pytest.mark.parametrize(
    "path",
    [
        "",
        "relative",
        "rhev/data-center/x",
        "/",
        "/rhev/data-center",
        "/rhev/data-center/",
        "/rhev/data-centerx/y",
        "/rhev/data-center/../x",
        "/rhev/data-center/x/../../../etc",
        "/rhev/data-center/./x",
        "/rhev/data-center//x",
        "/rhev/data-center/x/",
        "//rhev/data-center/x",
        "/rhev/data-center/x\0",
        "/rhev/data-center/x\n",
        "/rhev/data-center/\u202ex",
        "/rhev/data-center/\udcff",
        "/rhev/data-center/" + "x" * 256,
        "/rhev/data-center/" + "ö" * 128,
        "/rhev/data-center" + "/x" * 2048,
        "/etc/passwd",
        "/proc/self/root/rhev/data-center/x",
    ],
)
def test_a_path_that_is_not_strictly_and_plainly_below_the_root_is_refused(path: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        paths.below(path, ROOT, field="fsFile")
    assert caught.value.field == "fsFile"
    assert len(caught.value.reason) < 100


def test_a_path_below_the_root_is_accepted() -> None:
    name = "server.example.com:_export_data__1"
    assert paths.below(f"/rhev/data-center/mnt/{name}", ROOT, field="fsFile") == f"mnt/{name}"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A root with a directory, a file and links of every kind, and a victim beside the root."""
    root = tmp_path / "root"
    (root / "dir" / "inner").mkdir(parents=True)
    (root / "file").touch()
    (tmp_path / "victim").mkdir()
    (root / "out").symlink_to(tmp_path / "victim")
    (root / "up").symlink_to("..")
    (root / "inside").symlink_to("dir")
    (root / "dir" / "magic").symlink_to("/proc/self/root")
    return root


@pytest.mark.parametrize(
    "relative", ["out", "up", "up/victim", "inside", "dir/magic", "file", "no"]
)
def test_a_link_a_file_or_nothing_is_not_a_directory_to_pin(tree: Path, relative: str) -> None:
    with (
        pytest.raises(InvalidArgument),
        paths.pinned_directory(tree, relative, field="fsFile"),
    ):
        pytest.fail("entered")


@given(
    names=st.lists(
        st.sampled_from(["dir", "inner", "file", "out", "up", "inside", "magic", "victim", ".."]),
        min_size=1,
        max_size=6,
    )
)
def test_whatever_is_walked_stays_below_the_root(
    names: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    base = tmp_path_factory.getbasetemp() / "walked"
    root = base / "root"
    if not root.exists():
        (root / "dir" / "inner").mkdir(parents=True)
        (root / "file").touch()
        (base / "victim").mkdir()
        (root / "out").symlink_to(base / "victim")
        (root / "up").symlink_to("..")
        (root / "inside").symlink_to("dir")
        (root / "dir" / "magic").symlink_to("/proc/self/root")
    try:
        with paths.pinned_directory(root, "/".join(names), field="fsFile") as directory:
            found = Path(f"/proc/self/fd/{directory}").readlink()
    except InvalidArgument:
        return
    assert found.is_relative_to(root)


def test_the_parent_that_is_held_stays_when_its_name_becomes_a_link(tree: Path) -> None:
    victim = tree.parent / "victim"
    (victim / "inner").mkdir()
    with paths.pinned_parent(tree, "dir/inner", field="fsFile") as entry:
        (tree / "dir").rename(tree / "moved")
        (tree / "dir").symlink_to(victim)
        assert entry.path == str(tree / "moved" / "inner")
        with paths.pinned_child(entry, field="fsFile") as directory:
            assert os.fstat(directory).st_ino == (tree / "moved" / "inner").stat().st_ino


def test_a_target_that_is_a_link_is_not_pinned(tree: Path) -> None:
    with (
        paths.pinned_parent(tree, "out", field="fsFile") as entry,
        pytest.raises(InvalidArgument, match="symbolic link"),
        paths.pinned_child(entry, field="fsFile"),
    ):
        pytest.fail("entered")


def test_a_directory_and_a_link_that_swap_all_the_time_never_lead_out(tree: Path) -> None:
    victim = tree.parent / "victim"
    (victim / "inner").mkdir()
    (tree / "link").symlink_to(victim)
    stop = threading.Event()

    def swap() -> None:
        while not stop.is_set():
            (tree / "dir").rename(tree / "aside")
            (tree / "link").rename(tree / "dir")
            (tree / "dir").rename(tree / "link")
            (tree / "aside").rename(tree / "dir")

    racer = threading.Thread(target=swap)
    racer.start()
    inode = (victim / "inner").stat().st_ino
    entered = refused = 0
    try:
        while min(entered, refused) < 20:
            try:
                with paths.pinned_directory(tree, "dir/inner", field="fsFile") as directory:
                    assert os.fstat(directory).st_ino != inode
                    entered += 1
            except InvalidArgument:
                refused += 1
    finally:
        stop.set()
        racer.join()


def _open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_nothing_is_left_open(tree: Path) -> None:
    before = _open_files()
    for relative in ("dir/inner", "out", "no/such"):
        try:
            with (
                paths.pinned_parent(tree, relative, field="fsFile") as entry,
                paths.pinned_child(entry, field="fsFile"),
            ):
                pass
        except InvalidArgument:
            pass
    assert _open_files() == before


def test_a_root_that_is_missing_or_a_link_is_reported(tree: Path) -> None:
    for root in (tree / "no", tree / "inside"):
        with (
            pytest.raises(InvalidArgument),
            paths.pinned_parent(root, "inner", field="fsFile"),
        ):
            pytest.fail("entered")
