# SPDX-License-Identifier: GPL-2.0-or-later
"""The tasks of this host: a queue with a limit, threads that work it off, and what is recovered.

The tasks of a pool are kept on its master domain while this host is its SPM. Those that were found
there unfinished are undone before anything new is begun for that pool: what is to be undone may
have the name of what is to be made.
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Sequence
from contextvars import Context, copy_context
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

from vdsm.jsonrpc.errors import JSON
from vdsm.storage import errors, layout
from vdsm.storage.files import Files
from vdsm.storage.formats.task_state import ResultRecord, TaskState
from vdsm.storage.protocols import Job, Recovery
from vdsm.storage.tasks import counterparts
from vdsm.storage.tasks.persistence import BrokenTask, StoredTask, TaskStore
from vdsm.storage.tasks.task import Kept, ManagedTask, loaded

WORKERS: Final = 10
"""Tasks that run at a time: oVirt's thread_pool_size."""

QUEUE: Final = 500
"""Tasks that may wait: oVirt's max_tasks."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Work:
    """What a thread is to do for a task; `recovery` goes before other work of its pool."""

    task: ManagedTask
    do: Callable[[], None]
    context: Context
    recovery: bool = False


class TaskManager:
    """vdsm.storage.protocols.Tasks, and what the verbs of tasks need. For any thread."""

    def __init__(self, workers: int = WORKERS, queue: int = QUEUE) -> None:
        self._workers = workers
        self._queue_limit = queue
        self._changed = threading.Condition()
        self._tasks: dict[str, ManagedTask] = {}
        self._queue: deque[_Work] = deque()
        self._starting = 0  # places in the queue of tasks that are being written
        self._running: dict[str, _Work] = {}
        self._threads = 0
        self._pools: dict[str, Kept] = {}
        self._undo: dict[str, Callable[[Sequence[str]], None]] = {}
        self._closed = False
        self.register(counterparts.NOTHING, lambda _params: None)

    # --- Tasks ------------------------------------------------------------------------------------

    def start(self, verb: str, job: Job, *, pool: str | None = None) -> str:
        """Also raises SpmStatusError when the tasks of the pool are not kept by this host, and
        TaskPersistError when the task cannot be written: then it is not begun."""
        with self._changed:
            kept = self._kept(pool)
            waiting = len(self._queue) + self._starting
            if self._closed or waiting >= self._queue_limit + self._workers - len(self._running):
                why = "vdsm is stopping" if self._closed else f"{waiting} tasks wait already"
                raise errors.AddTaskError(f"{verb}: {why}")
            self._starting += 1
        task = ManagedTask(str(uuid.uuid4()), verb, pool=pool, kept=kept)
        try:
            task.keep()
        except BaseException:
            with self._changed:
                self._starting -= 1
            raise
        work = _Work(task, lambda: task.run(job, self._undone), copy_context())
        with self._changed:
            self._starting -= 1
            if pool is not None and self._pools.get(pool) is not kept:
                # The next SPM finds it, and that nothing was begun.
                raise errors.SpmStatusError(f"{verb}: the SPM of pool {pool} was stopped")
            self._tasks[task.id] = task
            self._enqueue(work)
        log.info("Task %s (%s) is queued", task.id, verb)
        return task.id

    def register(self, name: str, undo: Callable[[Sequence[str]], None]) -> None:
        if name in self._undo:
            raise ValueError(f"the recovery {name!r} is registered twice")
        self._undo[name] = undo

    def attach(self, pool: str, files: Files) -> None:
        """No error when it is attached. Raises TaskDirectoryError, and nothing is attached then."""
        with self._changed:
            if pool in self._pools:
                return
        kept = Kept(TaskStore(files), PurePosixPath(layout.pool(pool)))
        found = [_found(each, pool, kept) for each in kept.store.load()]
        with self._changed:
            self._pools[pool] = kept
            for task in found:
                self._tasks[task.id] = task
                if not task.is_done:
                    log.info("Task %s (%s) is undone: it was left %s", *_named(task))
                    self._recover(task)

    def detach(self, pool: str) -> None:
        """Those that run are told to end, are not undone here, and write nothing more."""
        with self._changed:
            self._pools.pop(pool, None)
            gone = [task for task in self._tasks.values() if task.pool == pool]
            for task in gone:
                del self._tasks[task.id]
            self._queue = deque(work for work in self._queue if work.task.pool != pool)
            self._changed.notify_all()
        for task in gone:
            task.abandon()

    def unfinished(self, pool: str) -> list[str]:
        with self._changed:
            tasks = [task for task in self._tasks.values() if task.pool == pool]
        return [task.id for task in tasks if not task.is_done]

    # --- what the verbs need ----------------------------------------------------------------------

    def status(self, task_id: str) -> dict[str, JSON]:
        """TaskStatus. Raises UnknownTask, as all that take an id do."""
        return self._find(task_id).status()

    def info(self, task_id: str) -> dict[str, JSON]:
        """TaskInfo."""
        return self._find(task_id).info()

    def statuses(self) -> dict[str, JSON]:
        """TasksStatus."""
        return {task.id: task.status() for task in self._all()}

    def infos(self) -> dict[str, JSON]:
        """TasksInfo."""
        return {task.id: task.info() for task in self._all()}

    def states(self) -> list[TaskState]:
        """One for each task."""
        return [task.state for task in self._all()]

    def details(self) -> dict[str, JSON]:
        """TasksDetails."""
        return {task.id: task.details() for task in self._all()}

    def stop(self, task_id: str) -> None:
        """Asks a task to end; no error when it has ended."""
        task = self._find(task_id)
        task.abort("somebody stopped the task")
        log.info("Task %s (%s) was told to end; it is %s", *_named(task))

    def revert(self, task_id: str) -> None:
        """Undoes a task that has ended, in the background. Raises TaskNotFinished."""
        task = self._find(task_id)
        task.begin_to_revert()
        with self._changed:
            self._recover(task)

    def clear(self, task_id: str) -> None:
        """Forgets a task that has ended. Raises TaskStateError while it has not, TaskClearError
        when its files cannot be removed."""
        task = self._find(task_id)
        task.forget()
        with self._changed:
            self._tasks.pop(task_id, None)

    def wait(self, task_id: str, timeout_s: float) -> bool:
        """Whether a task ended within this time."""
        task = self._find(task_id)
        with self._changed:
            return self._changed.wait_for(lambda: task.is_done, timeout_s)

    def close(self, timeout_s: float) -> None:
        """vdsm stops: takes no more, and asks those that run to end. What does not end within the
        time, and what waits, is left for the recovery by the next SPM."""
        with self._changed:
            self._closed = True
            self._queue.clear()
            running = [work.task for work in self._running.values()]
            self._changed.notify_all()
        for task in running:
            task.abort("vdsm is stopping")
        deadline = time.monotonic() + timeout_s
        with self._changed:
            self._changed.wait_for(lambda: not self._running, max(0.0, deadline - time.monotonic()))
            for work in self._running.values():
                log.warning("Task %s (%s) is left behind while it is %s", *_named(work.task))

    # --- within -----------------------------------------------------------------------------------

    def _kept(self, pool: str | None) -> Kept | None:
        if pool is None:
            return None
        try:
            return self._pools[pool]
        except KeyError:
            raise errors.SpmStatusError(f"the tasks of pool {pool} are not kept here") from None

    def _find(self, task_id: str) -> ManagedTask:
        with self._changed:
            try:
                return self._tasks[task_id]
            except KeyError:
                raise errors.UnknownTask(task_id) from None

    def _all(self) -> list[ManagedTask]:
        with self._changed:
            return list(self._tasks.values())

    def _undone(self, recovery: Recovery) -> None:
        try:
            undo = self._undo[recovery.name]
        except KeyError:
            raise errors.InvalidTask(f"the recovery {recovery.name} is not known here") from None
        undo(recovery.params)

    def _recover(self, task: ManagedTask) -> None:
        """Whatever the limit of the queue is: it is there already."""
        work = _Work(task, lambda: task.recover(self._undone), copy_context(), recovery=True)
        self._enqueue(work)

    def _enqueue(self, work: _Work) -> None:
        self._queue.append(work)
        if self._threads < min(self._workers, len(self._queue) + len(self._running)):
            self._threads += 1
            # Daemons: a task that hangs must not keep a stopping vdsm from exiting.
            name = f"tasks/{self._threads}"
            threading.Thread(target=self._work, name=name, daemon=True).start()
        self._changed.notify_all()

    def _work(self) -> None:
        while (work := self._take()) is not None:
            try:
                work.context.run(work.do)
            except Exception:
                log.exception("Task %s (%s) broke while it was %s", *_named(work.task))
            finally:
                with self._changed:
                    del self._running[work.task.id]
                    self._changed.notify_all()
            work.context.run(log.info, "Task %s (%s) is %s", *_named(work.task))

    def _take(self) -> _Work | None:
        with self._changed:
            while not self._closed:
                work = self._next()
                if work is not None:
                    self._queue.remove(work)
                    self._running[work.task.id] = work
                    return work
                self._changed.wait()
            return None

    def _next(self) -> _Work | None:
        """The first that may begin: recoveries of a pool go before its other tasks."""
        recovering = {
            work.task.pool
            for work in (*self._queue, *self._running.values())
            if work.recovery and work.task.pool is not None
        }
        for work in self._queue:
            if work.recovery or work.task.pool not in recovering:
                return work
        return None


def _found(found: StoredTask | BrokenTask, pool: str, kept: Kept) -> ManagedTask:
    """A task of the disk; one that is broken, or to be undone in a way that is not known, is shown
    as failed, and what there is of it is kept until somebody clears it."""
    if isinstance(found, BrokenTask):
        task_id, verb, why = found.id, "", found.error
    else:
        try:
            return loaded(found, pool, kept)
        except errors.TaskMetadataLoadError as error:
            log.error("Task %s cannot be undone: %s", found.task.id, error)  # noqa: TRY400
            task_id, verb, why = found.task.id, found.task.name, error
    outcome = ResultRecord(why.code, str(why), "")
    return ManagedTask(
        task_id, verb, pool=pool, kept=kept, state=TaskState.FAILED, outcome=outcome, broken=True
    )


def _named(task: ManagedTask) -> tuple[str, str, TaskState]:
    return task.id, task.verb, task.state
