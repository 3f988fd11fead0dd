# SPDX-License-Identifier: GPL-2.0-or-later
"""Tasks: what they tell, how they fail, are undone, stopped, found again and cleared."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from storage.local_files import LocalFiles
from vdsm.jsonrpc.errors import JSON
from vdsm.storage import errors
from vdsm.storage.protocols import Recovery, Task
from vdsm.storage.tasks.manager import TaskManager

POOL = "99999999-0000-4000-8000-000000000000"
UNKNOWN = "88888888-0000-4000-8000-000000000000"
_WAIT_S = 30.0


class Work:
    """A job that says when it runs and ends when it is let go."""

    def __init__(self, then: Callable[[Task], JSON] = lambda _task: None) -> None:
        self.began, self.let_go = threading.Event(), threading.Event()
        self._then = then

    def __call__(self, task: Task) -> JSON:
        self.began.set()
        with task.on_abort(self.let_go.set):
            assert self.let_go.wait(_WAIT_S)
        task.check()
        return self._then(task)


class Undone:
    """Records what was undone, with the recovery "undo"; "broken" raises."""

    def __init__(self, tasks: TaskManager) -> None:
        self.params: list[tuple[str, ...]] = []
        tasks.register("undo", self._undo)
        tasks.register("broken", self._raise)

    def _undo(self, params: Sequence[str]) -> None:
        self.params.append(tuple(params))

    def _raise(self, _params: Sequence[str]) -> None:
        raise errors.VolumeDoesNotExist("v1")


@pytest.fixture
def tasks() -> Iterator[TaskManager]:
    manager = TaskManager(workers=3, queue=2)
    yield manager
    manager.close(timeout_s=0)


@pytest.fixture
def files(tmp_path: Path) -> LocalFiles:
    return LocalFiles(tmp_path)


def undo(*params: str) -> Recovery:
    return Recovery("undo", params)


def ended(tasks: TaskManager, task_id: str) -> tuple[JSON, JSON, JSON]:
    """taskResult, code and message, once it has ended."""
    assert tasks.wait(task_id, _WAIT_S)
    status = tasks.status(task_id)
    assert status["taskState"] == "finished"
    return status["taskResult"], status["code"], status["message"]


def fail(task: Task) -> JSON:
    task.undo_with(undo("first"))
    task.undo_with(undo("second"))
    raise errors.VolumeAlreadyExists("v1")


def test_a_task_runs_and_tells_as_ovirt_does(tasks: TaskManager) -> None:
    work = Work(lambda _task: {"uuid": "v1"})
    task = tasks.start("createVolume", work)
    assert work.began.wait(_WAIT_S)
    status = tasks.status(task)
    assert (status["taskID"], status["taskState"], status["taskResult"]) == (task, "running", "")
    assert tasks.info(task) == {"id": task, "verb": "createVolume"}
    work.let_go.set()
    assert ended(tasks, task)[:2] == ("success", 0)
    assert tasks.statuses() == {task: tasks.status(task)}
    assert tasks.infos() == {task: tasks.info(task)}
    (details,) = tasks.details().values()
    assert isinstance(details, dict)
    assert (details["state"], details["result"]) == ("finished", {"uuid": "v1"})


def test_a_task_that_fails_is_undone_backwards_and_says_why(tasks: TaskManager) -> None:
    undone = Undone(tasks)
    result, code, message = ended(tasks, tasks.start("createVolume", fail))
    assert (result, code) == ("cleanSuccess", errors.VolumeAlreadyExists.number)
    assert "v1" in str(message)
    assert undone.params == [("second",), ("first",)]


def test_what_nobody_foresaw_fails_the_task_with_the_general_code(tasks: TaskManager) -> None:
    def work(_task: Task) -> JSON:
        raise RuntimeError("surprise")

    assert ended(tasks, tasks.start("copy", work)) == (
        "cleanSuccess",
        100,
        "copy failed: surprise",
    )


def test_what_was_committed_is_not_undone(tasks: TaskManager) -> None:
    def work(task: Task) -> JSON:
        task.undo_with(undo("kept"))
        task.commit()
        task.undo_with(undo("not kept"))
        raise errors.VolumeCreationError("v1")

    undone = Undone(tasks)
    assert ended(tasks, tasks.start("createVolume", work))[0] == "cleanSuccess"
    assert undone.params == [("not kept",)]


@pytest.mark.parametrize("name", ["broken", "unknown"])
def test_a_task_that_cannot_be_undone_says_so_and_may_be_reverted_later(
    tasks: TaskManager, name: str
) -> None:
    def work(task: Task) -> JSON:
        task.undo_with(Recovery(name, ()))
        raise errors.VolumeCreationError("v1")

    Undone(tasks)
    task = tasks.start("createVolume", work)
    result, code, message = ended(tasks, task)
    assert (result, code) == ("cleanFailure", errors.VolumeCreationError.number)
    assert name in str(message)
    if name == "unknown":
        tasks.register(name, lambda _params: None)
        tasks.revert(task)
        assert ended(tasks, task)[0] == "cleanSuccess"


def test_a_task_that_is_stopped_ends_and_is_undone(tasks: TaskManager) -> None:
    def begin(task: Task) -> JSON:
        task.undo_with(undo("begun"))
        return work(task)

    undone, work = Undone(tasks), Work()
    task = tasks.start("copy", begin)
    assert work.began.wait(_WAIT_S)
    tasks.stop(task)
    assert ended(tasks, task)[:2] == ("cleanSuccess", errors.TaskAborted.number)
    assert undone.params == [("begun",)]
    tasks.stop(task)


def test_the_error_of_a_tool_that_was_killed_by_the_stop_is_the_stop(tasks: TaskManager) -> None:
    killed, began = threading.Event(), threading.Event()

    def work(task: Task) -> JSON:
        with task.on_abort(killed.set):
            began.set()
            assert killed.wait(_WAIT_S)
            raise RuntimeError("qemu-img: signal 9")

    task = tasks.start("copy", work)
    assert began.wait(_WAIT_S)
    tasks.stop(task)
    assert ended(tasks, task)[:2] == ("cleanSuccess", errors.TaskAborted.number)


def test_a_task_that_is_stopped_before_it_began_never_begins() -> None:
    tasks = TaskManager(workers=1, queue=1)
    first, second = Work(), Work()
    tasks.start("copy", first)
    assert first.began.wait(_WAIT_S)
    waiting = tasks.start("copy", second)
    tasks.stop(waiting)
    assert tasks.status(waiting)["taskState"] == "aborting"
    first.let_go.set()
    assert ended(tasks, waiting)[:2] == ("cleanSuccess", errors.TaskAborted.number)
    assert not second.began.is_set()


def test_the_queue_refuses_what_is_too_much_and_takes_more_later() -> None:
    tasks = TaskManager(workers=1, queue=2)
    work = Work()
    tasks.start("copy", work)
    assert work.began.wait(_WAIT_S)
    waiting = [tasks.start("copy", lambda _task: None) for _ in range(2)]
    with pytest.raises(errors.AddTaskError, match="2 tasks wait") as raised:
        tasks.start("copy", lambda _task: None)
    assert raised.value.code == 405
    work.let_go.set()
    for task in waiting:
        assert ended(tasks, task)[0] == "success"
    assert ended(tasks, tasks.start("copy", lambda _task: None))[0] == "success"


def test_errors_of_a_task_that_goes_on_or_is_not_there(tasks: TaskManager) -> None:
    work = Work()
    task = tasks.start("copy", work)
    with pytest.raises(errors.TaskStateError) as state:
        tasks.clear(task)
    with pytest.raises(errors.TaskNotFinished) as unfinished:
        tasks.revert(task)
    assert (state.value.code, unfinished.value.code) == (410, 403)
    work.let_go.set()
    ended(tasks, task)
    tasks.clear(task)
    for verb in (tasks.status, tasks.info, tasks.stop, tasks.revert, tasks.clear):
        with pytest.raises(errors.UnknownTask) as unknown:
            verb(task)
        assert unknown.value.code == 401


def test_a_recovery_has_one_owner(tasks: TaskManager) -> None:
    Undone(tasks)
    with pytest.raises(ValueError, match="undo"):
        tasks.register("undo", lambda _params: None)


# --- on the disk ----------------------------------------------------------------------------------


def left_behind(files: LocalFiles, job: Callable[[Task], JSON]) -> str:
    """A task whose vdsm was killed: it did what `job` does before it waits, and never ends."""
    tasks, reached = TaskManager(), threading.Event()

    def work(task: Task) -> JSON:
        job(task)
        reached.set()
        threading.Event().wait()

    tasks.attach(POOL, files)
    task = tasks.start("createVolume", work, pool=POOL)
    assert reached.wait(_WAIT_S)
    return task


def begun(task: Task) -> JSON:
    task.undo_with(undo("d1", "first"))
    task.undo_with(undo("d1", "second"))
    return None


def test_a_task_whose_vdsm_was_killed_is_found_and_undone(
    tasks: TaskManager, files: LocalFiles
) -> None:
    undone, task = Undone(tasks), left_behind(files, begun)
    tasks.attach(POOL, files)
    result, code, message = ended(tasks, task)
    assert (result, code) == ("cleanSuccess", errors.TaskAborted.number)
    assert "running" in str(message)
    assert undone.params == [("d1", "second"), ("d1", "first")]
    assert tasks.unfinished(POOL) == []

    again = TaskManager()
    again.attach(POOL, files)
    assert ended(again, task) == (result, code, message)
    again.clear(task)
    assert files.list() == []


def test_a_task_that_was_killed_while_it_was_undone_is_undone_again_and_keeps_its_reason(
    files: LocalFiles,
) -> None:
    first, reached = TaskManager(), threading.Event()

    def hang(_params: Sequence[str]) -> None:
        reached.set()
        threading.Event().wait()

    first.register("undo", hang)
    first.attach(POOL, files)
    task = first.start("createVolume", fail, pool=POOL)
    assert reached.wait(_WAIT_S)

    second = TaskManager()
    undone = Undone(second)
    second.attach(POOL, files)
    assert ended(second, task)[:2] == ("cleanSuccess", errors.VolumeAlreadyExists.number)
    assert undone.params == [("second",), ("first",)]


def test_a_task_that_was_committed_before_the_kill_is_not_undone(
    tasks: TaskManager, files: LocalFiles
) -> None:
    def work(task: Task) -> JSON:
        begun(task)
        task.commit()
        return None

    undone, task = Undone(tasks), left_behind(files, work)
    tasks.attach(POOL, files)
    assert ended(tasks, task)[0] == "cleanSuccess"
    assert undone.params == []


def test_one_that_ended_is_found_until_it_is_cleared(tasks: TaskManager, files: LocalFiles) -> None:
    tasks.attach(POOL, files)
    task = tasks.start("createVolume", lambda _task: {"uuid": "v=1"}, pool=POOL)
    assert ended(tasks, task)[0] == "success"
    tasks.detach(POOL)
    with pytest.raises(errors.UnknownTask):
        tasks.status(task)
    tasks.attach(POOL, files)
    assert ended(tasks, task)[:2] == ("success", 0)
    (details,) = tasks.details().values()
    assert isinstance(details, dict)
    assert details["result"] == {"uuid": "v=1"}


def test_new_tasks_of_a_pool_wait_until_the_old_ones_are_undone(
    tasks: TaskManager, files: LocalFiles
) -> None:
    order: list[str] = []
    go_on = threading.Event()

    def undo_slowly(_params: Sequence[str]) -> None:
        assert go_on.wait(_WAIT_S)
        order.append("undone")

    tasks.register("undo", undo_slowly)
    old = left_behind(files, begun)
    tasks.attach(POOL, files)
    new = tasks.start("createVolume", lambda _task: order.append("new"), pool=POOL)
    other = tasks.start("spmStart", lambda _task: order.append("other"))
    assert ended(tasks, other)[0] == "success"
    assert sorted(tasks.unfinished(POOL)) == sorted([old, new])
    go_on.set()
    assert ended(tasks, new)[0] == "success"
    assert order == ["other", "undone", "undone", "new"]


def test_a_broken_task_is_shown_and_kept_and_stops_no_other(
    tasks: TaskManager, tmp_path: Path
) -> None:
    undone = Undone(tasks)
    (elsewhere := tmp_path.parent / f"{tmp_path.name}.elsewhere").mkdir()
    files = LocalFiles(tmp_path)
    torn, good = left_behind(LocalFiles(elsewhere), begun), left_behind(files, begun)
    (elsewhere / torn).rename(tmp_path / torn)
    file = tmp_path / torn / f"{torn}.task"
    file.write_bytes(file.read_bytes()[:-3])
    tasks.attach(POOL, files)
    result, code, message = ended(tasks, torn)
    assert (result, code) == ("cleanFailure", errors.TaskMetadataLoadError.number)
    assert file.name in str(message)
    assert ended(tasks, good)[0] == "cleanSuccess"
    assert len(undone.params) == 2
    with pytest.raises(errors.TaskStateError, match=r"torn"):
        tasks.revert(torn)
    assert len(files.list(torn)) == 4
    tasks.clear(torn)
    assert files.list() == [good]


def test_a_recovery_that_is_not_known_is_named_and_left_on_the_disk(
    tasks: TaskManager, files: LocalFiles, tmp_path: Path
) -> None:
    Undone(tasks)
    task = left_behind(files, begun)
    file = tmp_path / task / f"{task}.recover.1"
    file.write_text(file.read_text().replace("= tasks\n", "= volume\n"))
    before = {path: path.read_bytes() for path in (tmp_path / task).iterdir()}
    tasks.attach(POOL, files)
    result, _, message = ended(tasks, task)
    assert result == "cleanFailure"
    assert "volume.Recovery.undo" in str(message)
    assert {path: path.read_bytes() for path in (tmp_path / task).iterdir()} == before


def test_a_task_of_a_pool_whose_spm_this_host_is_not_is_refused(tasks: TaskManager) -> None:
    with pytest.raises(errors.SpmStatusError, match=POOL):
        tasks.start("createVolume", lambda _task: None, pool=POOL)


def test_a_host_that_is_not_spm_any_more_writes_nothing_and_undoes_nothing(
    tasks: TaskManager, files: LocalFiles, tmp_path: Path
) -> None:
    refused: list[errors.StorageError] = []
    undone, let_go, over = Undone(tasks), threading.Event(), threading.Event()

    def work(task: Task) -> JSON:
        task.undo_with(undo("mine"))
        try:
            with task.on_abort(let_go.set):
                assert let_go.wait(_WAIT_S)
            for step in (lambda: task.undo_with(undo("late")), task.commit, task.check):
                with pytest.raises(errors.TaskAborted) as raised:
                    step()
                refused.append(raised.value)
            raise errors.VolumeCreationError("v1")
        finally:
            over.set()

    tasks.attach(POOL, files)
    task = tasks.start("createVolume", work, pool=POOL)
    while not (tmp_path / task / f"{task}.recover.0").exists():
        assert not over.wait(0.001)
    tasks.detach(POOL)
    assert over.wait(_WAIT_S)
    tasks.close(_WAIT_S)
    assert len(refused) == 3
    assert undone.params == []
    next_spm = TaskManager()
    found = Undone(next_spm)
    next_spm.attach(POOL, files)
    ended(next_spm, task)
    assert found.params == [("mine",)]


def test_a_step_whose_undo_cannot_be_kept_is_not_done(
    tasks: TaskManager, files: LocalFiles, tmp_path: Path
) -> None:
    done: list[str] = []

    def work(task: Task) -> JSON:
        for path in (tmp_path / task.id).iterdir():
            path.unlink()
        (tmp_path / task.id).rmdir()
        task.undo_with(undo("d1"))
        done.append("step")
        return None

    undone = Undone(tasks)
    tasks.attach(POOL, files)
    task = tasks.start("createVolume", work, pool=POOL)
    assert ended(tasks, task)[:2] == ("cleanSuccess", errors.TaskPersistError.number)
    assert (done, undone.params) == ([], [])


def test_a_task_that_cannot_be_written_is_not_begun(
    tasks: TaskManager, files: LocalFiles, tmp_path: Path
) -> None:
    (tmp_path / "tasks").mkdir()
    tasks.attach(POOL, files.below("tasks"))
    (tmp_path / "tasks").rmdir()
    with pytest.raises(errors.TaskPersistError):
        tasks.start("createVolume", lambda _task: None, pool=POOL)
    assert tasks.statuses() == {}


# --- the end of vdsm ------------------------------------------------------------------------------


def test_a_stopping_vdsm_ends_what_runs_and_leaves_the_rest_to_the_next_spm(
    files: LocalFiles,
) -> None:
    tasks, obedient, began = TaskManager(workers=2), Work(), threading.Event()
    undone = Undone(tasks)

    def obey(task: Task) -> JSON:
        task.undo_with(undo("obedient"))
        return obedient(task)

    def hang(task: Task) -> JSON:
        task.undo_with(undo("hangs"))
        began.set()
        threading.Event().wait()

    tasks.attach(POOL, files)
    stopped = tasks.start("copy", obey, pool=POOL)
    hanging = tasks.start("copy", hang, pool=POOL)
    assert obedient.began.wait(_WAIT_S)
    assert began.wait(_WAIT_S)
    waiting = tasks.start("copy", lambda _task: None, pool=POOL)
    tasks.close(timeout_s=0.5)
    assert ended(tasks, stopped)[:2] == ("cleanSuccess", errors.TaskAborted.number)
    assert undone.params == [("obedient",)]
    with pytest.raises(errors.AddTaskError, match="stopping"):
        tasks.start("copy", lambda _task: None)

    again = TaskManager()
    found = Undone(again)
    again.attach(POOL, files)
    assert ended(again, waiting)[0] == "cleanSuccess"
    assert ended(again, hanging)[0] == "cleanSuccess"
    assert found.params == [("hangs",)]
