# SPDX-License-Identifier: GPL-2.0-or-later
"""Directories that are watched."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from supervdsm.common.inotify import Watch


def seen(watch: Watch, change: Callable[[], object]) -> bool:
    """Tell whether the watch sees `change`."""
    woken = threading.Event()

    def wait() -> None:
        watch.wait()
        woken.set()

    threading.Thread(target=wait, daemon=True).start()
    change()
    return woken.wait(10)


def test_a_file_that_comes_or_goes_is_seen(tmp_path: Path) -> None:
    directory = tmp_path / "watched"
    directory.mkdir()
    (tmp_path / "a").write_text("")
    watch = Watch([directory])
    assert seen(watch, lambda: (tmp_path / "a").rename(directory / "a"))
    assert seen(watch, lambda: (directory / "a").rename(tmp_path / "b"))
    (tmp_path / "b").rename(directory / "b")
    watch.wait()
    assert seen(watch, lambda: (directory / "b").unlink())


def test_each_directory_is_watched(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    (tmp_path / "file").write_text("")
    assert seen(Watch([one, two]), lambda: (tmp_path / "file").rename(two / "file"))


def test_a_missing_directory_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="gone"):
        Watch([tmp_path / "gone"])
