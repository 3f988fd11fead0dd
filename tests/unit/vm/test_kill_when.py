# SPDX-License-Identifier: GPL-2.0-or-later
"""The program that kills vdsm in the middle of a task, on a process and a directory of our own."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from vm import kill_when

MIB = 1 << 20


@pytest.fixture
def victim() -> Iterator["subprocess.Popen[bytes]"]:
    with subprocess.Popen(["sleep", "600"]) as process:
        yield process
        process.kill()


def watch(
    victim: "subprocess.Popen[bytes]", path: Path, size: int = 0, patience_s: float = 60
) -> "subprocess.Popen[str]":
    """As in a machine: the program's text goes there, and it is asked to look."""
    words = (victim.pid, path, size, patience_s)
    program = Path(kill_when.__file__).read_text()
    watcher = subprocess.Popen(
        [sys.executable, "-c", program, *map(str, words)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert watcher.stdout is not None
    assert watcher.stdout.readline() == "watching\n"
    return watcher


def test_it_kills_as_soon_as_the_file_is_there(
    victim: "subprocess.Popen[bytes]", tmp_path: Path
) -> None:
    with watch(victim, tmp_path / "volume") as watcher:
        (tmp_path / "volume.lease").touch()
        with pytest.raises(subprocess.TimeoutExpired):
            victim.wait(0.05)
        (tmp_path / "volume").touch()
        assert victim.wait(60) == -signal.SIGKILL
        assert watcher.communicate()[0] == "killed\n"


def test_it_kills_as_soon_as_the_directory_is_gone(
    victim: "subprocess.Popen[bytes]", tmp_path: Path
) -> None:
    image = tmp_path / "image"
    image.mkdir()
    with watch(victim, image, -1) as watcher:
        with pytest.raises(subprocess.TimeoutExpired):
            victim.wait(0.05)
        image.rename(tmp_path / "_remove_me_image").rmdir()
        assert victim.wait(60) == -signal.SIGKILL
        assert watcher.communicate()[0] == "killed\n"


def test_a_file_must_have_the_data_not_only_the_size(
    victim: "subprocess.Popen[bytes]", tmp_path: Path
) -> None:
    volume = tmp_path / "volume"
    with watch(victim, volume, MIB) as watcher, volume.open("wb") as file:
        file.truncate(8 * MIB)
        with pytest.raises(subprocess.TimeoutExpired):
            victim.wait(0.05)
        file.write(b"x" * 2 * MIB)
        file.flush()
        assert victim.wait(60) == -signal.SIGKILL
        assert watcher.communicate()[0] == "killed\n"


def test_what_never_comes_is_not_waited_for(
    victim: "subprocess.Popen[bytes]", tmp_path: Path
) -> None:
    with watch(victim, tmp_path / "never", patience_s=0.05) as watcher:
        assert victim.wait(60) == -signal.SIGKILL
        assert watcher.communicate()[0] == "late\n"


def test_it_says_when_the_process_ended_by_itself(
    victim: "subprocess.Popen[bytes]", tmp_path: Path
) -> None:
    with watch(victim, tmp_path / "never") as watcher:
        victim.terminate()
        assert watcher.stdout is not None
        assert watcher.stdout.readline() == "ended\n"


def test_when_its_stdin_ends_it_kills_nobody(
    victim: "subprocess.Popen[bytes]", tmp_path: Path
) -> None:
    with watch(victim, tmp_path / "late") as watcher:
        assert watcher.stdin is not None
        watcher.stdin.close()
        watcher.wait(60)
        (tmp_path / "late").touch()
        with pytest.raises(subprocess.TimeoutExpired):
            victim.wait(0.05)
