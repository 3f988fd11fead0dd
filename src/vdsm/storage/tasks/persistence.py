# SPDX-License-Identifier: GPL-2.0-or-later
"""The tasks of a pool on its master domain, in `master/tasks`, so that the next SPM finds them.

Each file is replaced atomically, and `<id>.task` is written last: it says how many of the other
files count. So a kill between two writes leaves a task as it was before or as it is after. Other
releases replace the whole directory instead: `<id>.temp` is written, `<id>` becomes `<id>.backup`,
`<id>.temp` becomes `<id>`; whatever a kill left of that is understood as they do.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from vdsm.storage import errors, model
from vdsm.storage.files import Files
from vdsm.storage.formats import task_state
from vdsm.storage.formats.task_state import (
    BACKUP,
    JOB_SUFFIX,
    RECOVERY_SUFFIX,
    RESULT_SUFFIX,
    TASK_SUFFIX,
    TEMPORARY,
    JobRecord,
    RecoveryRecord,
    ResultRecord,
    TaskRecord,
)

_UNFINISHED_WRITE = ".new"  # what vdsm.storage.files.Files.write leaves when it is killed

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class StoredTask:
    """What is known of a task; `result` is None when it has not ended, nor begun to be undone."""

    task: TaskRecord
    recoveries: tuple[RecoveryRecord, ...]
    result: ResultRecord | None


@dataclass(frozen=True, slots=True)
class BrokenTask:
    """A task that is there and cannot be read; `error` names the file."""

    id: str
    error: errors.StorageError


class TaskStore:
    """The tasks below one directory. One thread at a time may work on a task."""

    def __init__(self, files: Files) -> None:
        self._files = files

    @property
    def path(self) -> str:
        return str(self._files.root)

    def create(self, task: TaskRecord, job: JobRecord) -> None:
        """Begins to keep a task. Raises TaskPersistError, and leaves nothing of it then."""
        with _saving(task.id):
            self._files.mkdir(task.id)
        try:
            with _saving(task.id):
                self._files.write(_file(task.id, JOB_SUFFIX, 0), task_state.encode_job(job))
                self._save(task)
        except errors.TaskPersistError:
            with suppress(errors.StorageError):  # what stays is taken away when it is loaded
                self.remove(task.id)
            raise

    def save(self, task: TaskRecord) -> None:
        """Raises TaskPersistError."""
        with _saving(task.id):
            self._save(task)

    def push(self, task: TaskRecord, recovery: RecoveryRecord) -> None:
        """Keeps one recovery more; `task` counts it already. Raises TaskPersistError."""
        data = task_state.encode_recovery(recovery)
        with _saving(task.id):
            self._files.write(_file(task.id, RECOVERY_SUFFIX, task.recoveries - 1), data)
            self._save(task)

    def save_result(self, task_id: str, result: ResultRecord) -> None:
        """Before the state that it belongs to. Raises TaskPersistError."""
        with _saving(task_id):
            self._files.write(_file(task_id, RESULT_SUFFIX), task_state.encode_result(result))

    def remove(self, task_id: str) -> None:
        """Forgets a task; no error when it is not there. Raises TaskClearError."""
        try:
            # In one step: half of a task would be one that is broken.
            self._files.remove_tree(task_id + TEMPORARY)
            if self._files.exists(task_id):
                self._files.rename(task_id, task_id + TEMPORARY)
            self._files.remove_tree(task_id + BACKUP)
            self._files.remove_tree(task_id + TEMPORARY)
        except OSError as error:
            raise errors.TaskClearError(f"{task_id}: {error}") from error

    def load(self) -> list[StoredTask | BrokenTask]:
        """All tasks that are there; takes away what interrupted writes left.

        Raises TaskDirectoryError when the directory cannot be read.
        """
        try:
            names = set(self._files.list())
        except OSError as error:
            raise errors.TaskDirectoryError(f"{self.path}: {error}") from error
        ids = {name.removesuffix(TEMPORARY).removesuffix(BACKUP) for name in names}
        loaded: list[StoredTask | BrokenTask] = []
        for task_id in sorted(ids):
            if not model.is_uuid(task_id):
                log.warning("%s/%s is no task, and is left alone", self.path, task_id)
                continue
            try:
                self._settle(task_id, names)
                stored = self._load(task_id)
            except errors.StorageError as error:
                log.error("Task %s cannot be loaded: %s", task_id, error)  # noqa: TRY400
                loaded.append(BrokenTask(task_id, error))
            except OSError as error:
                log.error("Task %s cannot be loaded: %s", task_id, error)  # noqa: TRY400
                broken = errors.TaskMetadataLoadError(f"{self.path}/{task_id}: {error}")
                loaded.append(BrokenTask(task_id, broken))
            else:
                if stored is not None:
                    loaded.append(stored)
        return loaded

    def _settle(self, task_id: str, names: set[str]) -> None:
        """Brings a replacement of the directory that was interrupted to its end."""
        temporary, backup = task_id + TEMPORARY, task_id + BACKUP
        if task_id not in names and backup in names:
            # Between the two renames: what was written is whole.
            self._files.rename(temporary if temporary in names else backup, task_id)
        for name in {temporary, backup} & names:
            self._files.remove_tree(name)

    def _load(self, task_id: str) -> StoredTask | None:
        names = self._files.scan(task_id) if self._files.exists(task_id) else {}
        for name in [name for name in names if name.endswith(_UNFINISHED_WRITE)]:
            self._files.unlink(f"{task_id}/{name}", missing_ok=True)
        if f"{task_id}{TASK_SUFFIX}" not in names:
            recoveries = [name for name in names if RECOVERY_SUFFIX in name]
            if recoveries:
                raise errors.TaskMetadataLoadError(
                    f"{self.path}/{_file(task_id, TASK_SUFFIX)} is missing, "
                    f"and there is {', '.join(recoveries)}"
                )
            # Killed before the task was accepted: nothing was done.
            self._files.remove_tree(task_id)
            return None
        task = task_state.decode_task(*self._read(_file(task_id, TASK_SUFFIX)))
        if task.id != task_id:
            raise errors.TaskMetadataLoadError(
                f"{self.path}/{_file(task_id, TASK_SUFFIX)} is of another task, {task.id}"
            )
        has_result = f"{task_id}{RESULT_SUFFIX}" in names
        return StoredTask(task, self._recoveries(task), self._result(task) if has_result else None)

    def _recoveries(self, task: TaskRecord) -> tuple[RecoveryRecord, ...]:
        files = [_file(task.id, RECOVERY_SUFFIX, number) for number in range(task.recoveries)]
        return tuple(task_state.decode_recovery(*self._read(file)) for file in files)

    def _result(self, task: TaskRecord) -> ResultRecord | None:
        try:
            return task_state.decode_result(*self._read(_file(task.id, RESULT_SUFFIX)))
        except errors.TaskMetadataLoadError as error:
            if task.state.is_done:
                raise
            log.warning("%s; task %s is undone without it", error, task.id)
            return None

    def _read(self, file: str) -> tuple[bytes, str]:
        """The contents of a file, and its path for messages."""
        return self._files.read(file), f"{self.path}/{file}"

    def _save(self, task: TaskRecord) -> None:
        self._files.write(_file(task.id, TASK_SUFFIX), task_state.encode_task(task))


def _file(task_id: str, suffix: str, number: int | None = None) -> str:
    return f"{task_id}/{task_id}{suffix}" + ("" if number is None else f".{number}")


@contextmanager
def _saving(task_id: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise errors.TaskPersistError(f"{task_id}: {error}") from error
