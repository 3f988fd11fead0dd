# SPDX-License-Identifier: GPL-2.0-or-later
"""One task: its state, how to undo it, and how somebody ends it."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

from vdsm.jsonrpc.errors import JSON, Code, VdsmError
from vdsm.storage import errors, layout
from vdsm.storage.formats.task_state import JobRecord, ResultRecord, TaskRecord, TaskState
from vdsm.storage.protocols import Job, Recovery
from vdsm.storage.tasks import counterparts
from vdsm.storage.tasks.persistence import StoredTask, TaskStore

TAG: Final = "spm"
"""Of tasks that the SPM runs: what oVirt calls them."""

Undo = Callable[[Recovery], None]
"""Runs a recovery."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Kept:
    """Where the files of a task are, and the directory of its pool, which their contents name."""

    store: TaskStore
    pool_path: PurePosixPath


class ManagedTask:
    """vdsm.storage.protocols.Task. One thread works on it; any may look at it, or end it."""

    def __init__(
        self,
        task_id: str,
        verb: str,
        *,
        pool: str | None = None,
        kept: Kept | None = None,
        state: TaskState = TaskState.QUEUED,
        jobs: int = 1,
        recoveries: Sequence[Recovery] = (),
        outcome: ResultRecord | None = None,
        broken: bool = False,
    ) -> None:
        """`broken`: what there is of it on the disk is not understood, and is left as it is."""
        self.verb = verb
        self.pool = pool
        self._id = task_id
        self._kept = kept
        self._lock = threading.Lock()
        self._state = state
        self._jobs = jobs
        self._broken = broken
        self._recoveries = list(recoveries)
        self._outcome = outcome or ResultRecord(0, "The task waits for its turn", "")
        self._why_ended: str | None = None
        self._abandoned = False
        self._stops: list[Callable[[], None]] = []

    # --- what a job sees of it --------------------------------------------------------------------

    @property
    def id(self) -> str:
        return self._id

    def undo_with(self, recovery: Recovery) -> None:
        """On the disk when this returns. Raises TaskPersistError: then the step is not to be done;
        TaskAborted when the task is another host's by now."""
        self._refuse_when_abandoned()
        if (kept := self._kept) is not None:
            record = counterparts.to_record(recovery, kept.pool_path)
            kept.store.push(self._record(kept, recoveries=len(self._recoveries) + 1), record)
        self._recoveries.append(recovery)

    def commit(self) -> None:
        """Raises TaskPersistError: then it is not known whether it is kept, and is to be undone;
        TaskAborted when the task is another host's by now."""
        self._refuse_when_abandoned()
        if not self._recoveries:
            return
        if (kept := self._kept) is not None:
            kept.store.save(self._record(kept, recoveries=0))
        self._recoveries.clear()

    def check(self) -> None:
        with self._lock:
            if self._why_ended is not None:
                raise errors.TaskAborted(self._why_ended)

    @contextmanager
    def on_abort(self, stop: Callable[[], None]) -> Iterator[None]:
        with self._lock:
            aborting = self._why_ended is not None
            self._stops.append(stop)
        try:
            if aborting:
                stop()
            yield
        finally:
            with self._lock:
                self._stops.remove(stop)

    # --- its life ---------------------------------------------------------------------------------

    def keep(self) -> None:
        """Writes it for the first time. Raises TaskPersistError."""
        if (kept := self._kept) is not None:
            kept.store.create(self._record(kept), JobRecord(self.verb, self.verb))

    def run(self, job: Job, undo: Undo) -> None:
        """Does the work, and undoes it when it fails. Raises nothing: the task tells."""
        try:
            self.check()
            self._go(TaskState.RUNNING, ResultRecord(0, "The task is running", ""))
            result = job(self)
            self._finish(result)
        except Exception as error:
            self._fail(error)
            self.recover(undo)

    def recover(self, undo: Undo) -> None:
        """Undoes what is known to be undone; the last is the first. Raises nothing."""
        if self._abandoned:
            self._go(TaskState.FAILED)
            return
        self._go(TaskState.RECOVERING)
        self._save(outcome=self._outcome)
        while self._recoveries and not self._abandoned:
            try:
                undo(self._recoveries[-1])
            except Exception as error:
                log.exception("Task %s (%s) could not be undone", self.id, self.verb)
                name = self._recoveries[-1].name
                why = f"{self._outcome.message}; and {name} could not undo it: {error}"
                self._end(TaskState.FAILED, ResultRecord(self._outcome.code, why, ""))
                return
            self._recoveries.pop()
            if self._recoveries:
                self._save()
        self._end(TaskState.FAILED if self._abandoned else TaskState.RECOVERED, self._outcome)

    def abort(self, why: str) -> None:
        """Asks for an end; no error when it has ended, or is being undone: that is never cut."""
        with self._lock:
            undoing = self._state in (TaskState.RECOVERING, TaskState.RACQUIRING)
            if self._state.is_done or undoing or self._why_ended is not None:
                return
            self._why_ended = why
            stops = list(self._stops)
        for stop in stops:
            try:
                stop()
            except Exception:
                log.exception("Task %s (%s) could not be told to stop", self.id, self.verb)

    def abandon(self) -> None:
        """From here on it is another host's: ended, not undone, and nothing more is written."""
        self._abandoned = True
        self.abort("this host is not the SPM any more")

    def begin_to_revert(self) -> None:
        """A task that has ended is about to be undone. Raises TaskNotFinished, and TaskStateError
        for one that nobody here knows how to undo."""
        if self._broken:
            raise errors.TaskStateError(f"{self.id} cannot be undone: {self._outcome.message}")
        with self._lock:
            if not self._state.is_done:
                raise errors.TaskNotFinished(f"{self.id} is {self._state}")
            self._state = TaskState.RACQUIRING
            self._why_ended = None
        if self._outcome.code == 0:
            self._outcome = ResultRecord(errors.TaskAborted.number, "The task was reverted", "")

    def forget(self) -> None:
        """Removes its files. Raises TaskStateError unless it has ended, and TaskClearError."""
        if not self.is_done:
            raise errors.TaskStateError(f"{self.id} is {self.state}, and cannot be cleared")
        if self._kept is not None:
            self._kept.store.remove(self.id)

    # --- how it looks -----------------------------------------------------------------------------

    @property
    def state(self) -> TaskState:
        return self._shown()[0]

    @property
    def is_done(self) -> bool:
        return self.state.is_done

    def status(self) -> dict[str, JSON]:
        """TaskStatus."""
        state, outcome = self._shown()
        return {
            "taskID": self.id,
            "taskState": state.shown,
            "taskResult": state.result,
            "code": outcome.code,
            "message": outcome.message,
        }

    def info(self) -> dict[str, JSON]:
        """TaskInfo."""
        return {"id": self.id, "verb": self.verb}

    def details(self) -> dict[str, JSON]:
        """TaskDetails; `state` has the names of the files, as oVirt shows it here."""
        state, outcome = self._shown()
        return {
            "id": self.id,
            "verb": self.verb,
            "state": state.value,
            "taskResult": state.result,
            "code": outcome.code,
            "message": outcome.message,
            "result": _value(outcome.result),
            "tag": TAG,
        }

    def _shown(self) -> tuple[TaskState, ResultRecord]:
        with self._lock:
            going_on = self._state in (TaskState.QUEUED, TaskState.RUNNING)
            aborting = self._why_ended is not None and going_on
            return TaskState.ABORTING if aborting else self._state, self._outcome

    # --- steps ------------------------------------------------------------------------------------

    def _refuse_when_abandoned(self) -> None:
        if self._abandoned:
            self.check()
            raise errors.TaskAborted("this host is not the SPM any more")

    def _go(self, state: TaskState, outcome: ResultRecord | None = None) -> None:
        with self._lock:
            self._state = state
            self._outcome = outcome or self._outcome

    def _finish(self, result: JSON) -> None:
        """Raises TaskPersistError when what may be undone is not known to be finished."""
        outcome = ResultRecord(0, "The task is done", "" if result is None else json.dumps(result))
        if (kept := self._kept) is not None and not self._abandoned:
            try:
                kept.store.save_result(self.id, outcome)
                kept.store.save(self._record(kept, state=TaskState.FINISHED))
            except errors.StorageError as error:
                # The next SPM would undo what was reported as done, unless nothing can be undone.
                if self._recoveries:
                    raise
                log.warning("Task %s (%s) is done, and not on the disk: %s", *self._named(error))
        self._go(TaskState.FINISHED, outcome)

    def _fail(self, error: Exception) -> None:
        with self._lock:
            why = self._why_ended
        if why is not None and not isinstance(error, errors.TaskAborted):
            log.info("Task %s (%s) ended when it was told to: %s", *self._named(error))
            error = errors.TaskAborted(why)
        if isinstance(error, VdsmError):
            log.warning("Task %s (%s) failed: %s", *self._named(error))
            outcome = ResultRecord(error.code, str(error), "")
        else:
            log.error("Task %s (%s) failed", self.id, self.verb, exc_info=error)
            outcome = ResultRecord(Code.GENERAL_EXCEPTION, f"{self.verb} failed: {error}", "")
        self._go(TaskState.ABORTING, outcome)

    def _end(self, state: TaskState, outcome: ResultRecord) -> None:
        """On the disk first: from then on somebody may clear it."""
        self._save(state, outcome if state is TaskState.FAILED else None)
        self._go(state, outcome)

    def _save(self, state: TaskState | None = None, outcome: ResultRecord | None = None) -> None:
        """What is not on the disk is undone again by the next SPM, which does no harm."""
        kept = self._kept
        if kept is None or self._abandoned:
            return
        try:
            if outcome is not None:
                kept.store.save_result(self.id, outcome)
            kept.store.save(self._record(kept, state=state))
        except errors.StorageError as error:
            log.warning("The state of task %s (%s) is not on the disk: %s", *self._named(error))

    def _named(self, error: Exception) -> tuple[str, str, Exception]:
        return self.id, self.verb, error

    def _record(
        self, kept: Kept, *, state: TaskState | None = None, recoveries: int | None = None
    ) -> TaskRecord:
        return TaskRecord(
            id=self.id,
            name=self.verb,
            tag=TAG,
            store=str(kept.pool_path / layout.MASTER_LINK / layout.TASKS),
            state=state or self._state,
            jobs=self._jobs,
            recoveries=len(self._recoveries) if recoveries is None else recoveries,
        )


def _value(result: str) -> JSON:
    """A result as it was returned; of another release, its text."""
    try:
        value: JSON = json.loads(result)
    except ValueError:
        return result
    return value


def loaded(stored: StoredTask, pool: str, kept: Kept) -> ManagedTask:
    """A task that was found on the master domain. One that had not ended is to be recovered.

    Raises TaskMetadataLoadError that names a recovery which nobody here knows.
    """
    record = stored.task
    recoveries: list[Recovery] = []
    # By its own word, a task without a policy is not to be undone.
    for found in stored.recoveries if record.recovery_policy != "none" else ():
        recovery = counterparts.from_record(found)
        if recovery is None:
            raise errors.TaskMetadataLoadError(
                f"{record.id} ({record.name}) is to be undone by {found.module}.{found.object}."
                f"{found.function} ({found.name}), which is not known here"
            )
        recoveries.append(recovery)
    outcome = stored.result
    if outcome is None or (outcome.code == 0 and record.state is not TaskState.FINISHED):
        code = 0 if record.state is TaskState.FINISHED else errors.TaskAborted.number
        outcome = ResultRecord(code, f"The task was {record.state} when its vdsm ended", "")
    return ManagedTask(
        record.id,
        record.name,
        pool=pool,
        kept=kept,
        state=record.state,
        jobs=record.jobs,
        recoveries=recoveries,
        outcome=outcome,
    )
