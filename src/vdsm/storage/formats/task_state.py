# SPDX-License-Identifier: GPL-2.0-or-later
"""The files of a task on the master domain: `key = value` lines of UTF-8. Pure.

A task has the directory `master/tasks/<id>` with these files:

    <id>.task        the task itself: state, how many jobs and recoveries
    <id>.job.N       each of its jobs, for people
    <id>.recover.N   each of its recoveries; the last is run first
    <id>.result      how it ended

An `=` within a key or a value is written as `_eq_`, as oVirt does. A text that holds `_eq_` or a
line break would come back as another one: where only people read it, it is mended, elsewhere it is
refused. Reading skips keys that are not known and lines that are none, and takes a file that does
not end with a line break, or lacks a key, for torn. Format: upstream-vdsm 5.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeVar

from vdsm.storage import errors

TASK_SUFFIX: Final = ".task"
JOB_SUFFIX: Final = ".job"
RECOVERY_SUFFIX: Final = ".recover"
RESULT_SUFFIX: Final = ".result"

TEMPORARY: Final = ".temp"
"""Ends the name of a directory that is being written, in a release that replaces directories."""

BACKUP: Final = ".backup"
"""Ends the name of the directory before that, while it is being replaced."""

VERSION: Final = 1
MAX_COUNT: Final = 10_000
"""Jobs or recoveries of a task that are believed: more is a file that is broken."""

_EQUALS: Final = "_eq_"
_NUMBER = re.compile(r"-?[0-9]{1,9}", re.ASCII)

Value = TypeVar("Value")


class TaskState(StrEnum):
    """The states of a task, as the file has them. A client is shown fewer: see `shown`."""

    UNKNOWN = "unknown"
    INIT = "init"
    PREPARING = "preparing"
    BLOCKED = "blocked"
    ACQUIRING = "acquiring"
    QUEUED = "queued"
    RUNNING = "running"
    FINISHED = "finished"
    ABORTING = "aborting"
    WAITRECOVER = "waitrecover"
    RECOVERING = "recovering"
    RACQUIRING = "racquiring"
    RABORTING = "raborting"
    RECOVERED = "recovered"
    FAILED = "failed"

    @property
    def is_done(self) -> bool:
        return self in _DONE

    @property
    def shown(self) -> str:
        """taskState of TaskStatus: what a client knows."""
        return _SHOWN.get(self, self.value)

    @property
    def result(self) -> str:
        """taskResult of TaskStatus: `success`; `cleanSuccess` when the task failed and all of it is
        undone; `cleanFailure` when it could not be undone; nothing while it goes on."""
        return _DONE.get(self, "")


_DONE = {
    TaskState.FINISHED: "success",
    TaskState.RECOVERED: "cleanSuccess",
    TaskState.FAILED: "cleanFailure",
}
_SHOWN = (
    dict.fromkeys(
        (TaskState.PREPARING, TaskState.BLOCKED, TaskState.ACQUIRING, TaskState.QUEUED), "running"
    )
    | dict.fromkeys((TaskState.WAITRECOVER, TaskState.RECOVERING, TaskState.RACQUIRING), "cleaning")
    | {TaskState.RABORTING: "aborting"}
    | {TaskState.RECOVERED: "finished", TaskState.FAILED: "finished"}
)


@dataclass(frozen=True, slots=True)
class TaskRecord:
    """`<id>.task`. `store` is the directory of all tasks as a client of the pool sees it."""

    id: str
    name: str
    tag: str
    store: str
    state: TaskState
    jobs: int
    recoveries: int
    recovery_policy: str = "auto"
    persist_policy: str = "auto"
    clean_policy: str = "manual"
    priority: str = "low"


@dataclass(frozen=True, slots=True)
class JobRecord:
    """`<id>.job.N`: `command` says what it does; nothing runs it from there."""

    name: str
    command: str


@dataclass(frozen=True, slots=True)
class RecoveryRecord:
    """`<id>.recover.N`: a function by its module, object and name, and its arguments."""

    name: str
    module: str
    object: str
    function: str
    params: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ResultRecord:
    """`<id>.result`: `code` 0 and the result's text, or an error's code and message."""

    code: int
    message: str
    result: str


def encode_task(task: TaskRecord) -> bytes:
    """Raises TaskPersistError for a text that the format cannot hold."""
    return _lines(
        {
            "id": _exact("id", task.id),
            "name": _readable(task.name),
            "tag": _exact("tag", task.tag),
            "store": _exact("store", task.store),
            "recoveryPolicy": _exact("recoveryPolicy", task.recovery_policy),
            "persistPolicy": _exact("persistPolicy", task.persist_policy),
            "cleanPolicy": _exact("cleanPolicy", task.clean_policy),
            "priority": _exact("priority", task.priority),
            "state": task.state.value,
            "njobs": str(task.jobs),
            "nrecoveries": str(task.recoveries),
            "metadataVersion": str(VERSION),
        }
    )


def decode_task(data: bytes, path: str) -> TaskRecord:
    """Raises TaskMetadataLoadError that names `path`."""
    fields = _fields(data, path)
    if _get(fields, "metadataVersion", _count, path) != VERSION:
        raise errors.TaskMetadataLoadError(
            f"{path} is of version {fields['metadataVersion']}, known is {VERSION}"
        )
    return TaskRecord(
        id=_get(fields, "id", str, path),
        name=fields.get("name", ""),
        tag=fields.get("tag", ""),
        store=fields.get("store", ""),
        state=_get(fields, "state", TaskState, path),
        jobs=_get(fields, "njobs", _count, path),
        recoveries=_get(fields, "nrecoveries", _count, path),
        recovery_policy=_get(fields, "recoveryPolicy", str, path),
        persist_policy=_get(fields, "persistPolicy", str, path),
        clean_policy=_get(fields, "cleanPolicy", str, path),
        priority=_get(fields, "priority", str, path),
    )


def encode_job(job: JobRecord) -> bytes:
    return _lines({"name": _readable(job.name), "runcmd": _readable(job.command)})


def decode_job(data: bytes, path: str) -> JobRecord:
    """Raises TaskMetadataLoadError that names `path`."""
    fields = _fields(data, path)
    return JobRecord(fields.get("name", ""), fields.get("runcmd", ""))


def encode_recovery(recovery: RecoveryRecord) -> bytes:
    """Raises TaskPersistError for a text that the format cannot hold, such as a `,` in a param."""
    for param in recovery.params:
        if "," in param or not param:
            raise errors.TaskPersistError(f"params: {param!r:.60} is empty or has a comma")
    return _lines(
        {
            "name": _exact("name", recovery.name),
            "moduleName": _exact("moduleName", recovery.module),
            "object": _exact("object", recovery.object),
            "function": _exact("function", recovery.function),
            "params": ",".join(_exact("params", param) for param in recovery.params),
        }
    )


def decode_recovery(data: bytes, path: str) -> RecoveryRecord:
    """Raises TaskMetadataLoadError that names `path`."""
    fields = _fields(data, path)
    params = _get(fields, "params", str, path)
    return RecoveryRecord(
        name=_get(fields, "name", str, path),
        module=_get(fields, "moduleName", str, path),
        object=_get(fields, "object", str, path),
        function=_get(fields, "function", str, path),
        params=tuple(param.strip() for param in params.split(",")) if params else (),
    )


def encode_result(result: ResultRecord) -> bytes:
    return _lines(
        {
            "code": str(result.code),
            "message": _readable(result.message),
            "result": _readable(result.result),
        }
    )


def decode_result(data: bytes, path: str) -> ResultRecord:
    """Raises TaskMetadataLoadError that names `path`."""
    fields = _fields(data, path)
    return ResultRecord(
        _get(fields, "code", _number, path), fields.get("message", ""), fields.get("result", "")
    )


def _lines(fields: Mapping[str, str]) -> bytes:
    # What no UTF-8 can hold came from a client, in a text for people.
    text = "".join(f"{key} = {value.replace('=', _EQUALS)}\n" for key, value in fields.items())
    return text.encode(errors="replace")


def _exact(key: str, value: str) -> str:
    """A value that must come back as it is."""
    broken = _EQUALS in value or value != value.strip() or len(value.splitlines()) > 1
    if broken or _decoded(value.replace("=", _EQUALS)) != value or not value.isprintable():
        raise errors.TaskPersistError(f"{key}: {value!r:.60} cannot be kept in a file of a task")
    return value


def _readable(value: str) -> str:
    """A text for people, on one line. An `_eq_` in it will be read as `=`: nobody minds."""
    return " ".join(value.split())


def _fields(data: bytes, path: str) -> dict[str, str]:
    if not data.endswith(b"\n"):
        raise errors.TaskMetadataLoadError(f"{path} is torn: its last line does not end")
    try:
        lines = data.decode().split("\n")
    except UnicodeDecodeError:
        raise errors.TaskMetadataLoadError(f"{path} is not UTF-8") from None
    parts = [line.split("=") for line in lines]
    return {
        _decoded(pair[0].strip()): _decoded(pair[1].strip()) for pair in parts if len(pair) == 2
    }


def _decoded(text: str) -> str:
    return text.replace(_EQUALS, "=")


def _get(fields: Mapping[str, str], key: str, read: Callable[[str], Value], path: str) -> Value:
    try:
        return read(fields[key])
    except KeyError:
        raise errors.TaskMetadataLoadError(f"{path} has no {key}") from None
    except ValueError:
        raise errors.TaskMetadataLoadError(f"{path}: {key} = {fields[key]!r:.60}") from None


def _number(text: str) -> int:
    if not _NUMBER.fullmatch(text):
        raise ValueError(text)
    return int(text)


def _count(text: str) -> int:
    count = _number(text)
    if not 0 <= count <= MAX_COUNT:
        raise ValueError(text)
    return count
