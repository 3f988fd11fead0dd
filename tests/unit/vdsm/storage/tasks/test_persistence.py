# SPDX-License-Identifier: GPL-2.0-or-later
"""Tasks on the disk: killed between any two operations, torn, foreign."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec, TypeVar

import pytest

from storage.local_files import LocalFiles
from vdsm.storage import errors
from vdsm.storage.formats.task_state import (
    JobRecord,
    RecoveryRecord,
    ResultRecord,
    TaskRecord,
    TaskState,
)
from vdsm.storage.tasks.persistence import BrokenTask, StoredTask, TaskStore

P = ParamSpec("P")
R = TypeVar("R")

ID = "5f7b1c1e-7f3f-4d7e-9d0a-4d6a0c1b2a3c"
OTHER = "00000000-7f3f-4d7e-9d0a-4d6a0c1b2a3c"
TASK = TaskRecord(ID, "createVolume", "spm", "/store", TaskState.QUEUED, 1, 0)
JOB = JobRecord("createVolume", "createVolume")
UNDO = RecoveryRecord("undo", "tasks", "Recovery", "undo", ("a", "b"))


def with_recoveries(count: int) -> TaskRecord:
    return TaskRecord(ID, "createVolume", "spm", "/store", TaskState.RUNNING, 1, count)


def store_at(path: Path) -> TaskStore:
    return TaskStore(LocalFiles(path))


class Killed(BaseException):
    """Stands for SIGKILL."""


class KilledFiles(LocalFiles):
    """Dies before the operation with the number `left`."""

    left = 0

    def _run(self, operation: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        if type(self).left == 0:
            raise Killed
        type(self).left -= 1
        return operation(*args, **kwargs)


class FullFiles(LocalFiles):
    """Has room for `left` files more."""

    left = 0

    def _run(self, operation: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        if operation.__name__ == "write":
            if type(self).left == 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            type(self).left -= 1
        return operation(*args, **kwargs)


@pytest.mark.parametrize("room", [0, 1])
def test_a_task_that_cannot_be_written_leaves_nothing(tmp_path: Path, room: int) -> None:
    FullFiles.left = room
    with pytest.raises(errors.TaskPersistError, match=f"{ID}: .*No space left"):
        TaskStore(FullFiles(tmp_path)).create(TASK, JOB)
    assert list(tmp_path.iterdir()) == []


def test_what_is_kept_is_loaded(tmp_path: Path) -> None:
    store = store_at(tmp_path)
    store.create(TASK, JOB)
    store.push(with_recoveries(1), UNDO)
    store.save_result(ID, ResultRecord(411, "why", ""))
    assert store.load() == [StoredTask(with_recoveries(1), (UNDO,), ResultRecord(411, "why", ""))]
    assert sorted(path.name for path in (tmp_path / ID).iterdir()) == [
        f"{ID}.job.0",
        f"{ID}.recover.0",
        f"{ID}.result",
        f"{ID}.task",
    ]
    store.remove(ID)
    assert store.load() == []
    assert list(tmp_path.iterdir()) == []
    store.remove(ID)


def test_a_task_that_is_killed_between_any_two_operations_is_as_before_or_as_after(
    tmp_path: Path,
) -> None:
    def life(store: TaskStore) -> None:
        store.create(TASK, JOB)
        store.push(with_recoveries(1), UNDO)
        store.push(with_recoveries(2), UNDO)
        store.save(with_recoveries(0))
        store.remove(ID)

    seen: list[int | None] = []
    for number in range(100):
        root = tmp_path / str(number)
        root.mkdir()
        KilledFiles.left = number
        try:
            life(TaskStore(KilledFiles(root)))
        except Killed:
            found = store_at(root).load()
            assert all(isinstance(task, StoredTask) for task in found), (number, found)
            seen.append(
                len(found[0].recoveries) if isinstance(found[0], StoredTask) else -1
            ) if found else seen.append(None)
        else:
            assert list(root.iterdir()) == []
            break
    else:
        pytest.fail("it never came to its end")
    steps = [count for at, count in enumerate(seen) if at == 0 or seen[at - 1] != count]
    assert steps == [None, 0, 1, 2, 0, None]


@pytest.mark.parametrize(
    ("present", "loaded"),
    [
        ({"": 1, ".temp": 2}, 1),
        ({"": 1, ".backup": 0}, 1),
        ({".backup": 1, ".temp": 2}, 2),
        ({".backup": 1}, 1),
    ],
)
def test_a_replacement_of_the_directory_that_was_interrupted_is_finished(
    tmp_path: Path, present: dict[str, int], loaded: int
) -> None:
    for suffix, count in present.items():
        store = store_at(tmp_path)
        store.create(TASK, JOB)
        for number in range(count):
            store.push(with_recoveries(number + 1), UNDO)
        (tmp_path / ID).rename(tmp_path / f"moved{suffix}")
    for suffix in present:
        (tmp_path / f"moved{suffix}").rename(tmp_path / f"{ID}{suffix}")
    (found,) = store_at(tmp_path).load()
    assert isinstance(found, StoredTask)
    assert len(found.recoveries) == loaded
    assert [path.name for path in tmp_path.iterdir()] == [ID]


def tear(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-7])


@pytest.mark.parametrize(
    ("file", "damage"),
    [
        (f"{ID}.task", tear),
        (f"{ID}.task", Path.unlink),
        (f"{ID}.task", lambda path: path.write_bytes(b"\xff\n")),
        (f"{ID}.task", lambda path: path.write_bytes(path.read_bytes().replace(b"5f", b"6f"))),
        (f"{ID}.recover.0", tear),
        (f"{ID}.recover.0", Path.unlink),
    ],
)
def test_a_torn_file_is_named_and_stops_no_other_task(
    tmp_path: Path, file: str, damage: Callable[[Path], object]
) -> None:
    store = store_at(tmp_path)
    store.create(TASK, JOB)
    shutil.copytree(tmp_path / ID, tmp_path / OTHER)
    for path in (tmp_path / OTHER).iterdir():
        text = path.read_text().replace(ID, OTHER)
        (tmp_path / OTHER / path.name.replace(ID, OTHER)).write_text(text)
    store.push(with_recoveries(1), UNDO)
    damage(tmp_path / ID / file)
    before = sorted((tmp_path / ID).iterdir())
    good, broken = store.load()
    assert isinstance(good, StoredTask)
    assert good.task.id == OTHER
    assert isinstance(broken, BrokenTask)
    assert broken.id == ID
    assert file in str(broken.error)
    assert sorted((tmp_path / ID).iterdir()) == before


def test_what_is_no_task_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "lost+found").mkdir()
    (tmp_path / "notes.txt").write_text("mine")
    assert store_at(tmp_path).load() == []
    assert len(list(tmp_path.iterdir())) == 2


def test_a_link_in_the_place_of_a_task_is_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    (tmp_path / "tasks").mkdir()
    store_at(tmp_path).create(TASK, JOB)
    (tmp_path / ID).rename(outside)
    (tmp_path / "tasks" / ID).symlink_to(outside)
    (found,) = store_at(tmp_path / "tasks").load()
    assert isinstance(found, BrokenTask)
    assert len(list(outside.iterdir())) == 2


def test_a_directory_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(errors.TaskDirectoryError, match="nowhere"):
        store_at(tmp_path / "nowhere").load()
    with pytest.raises(errors.TaskPersistError, match=ID):
        store_at(tmp_path / "nowhere").create(TASK, JOB)
