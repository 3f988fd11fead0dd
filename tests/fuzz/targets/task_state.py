# SPDX-License-Identifier: GPL-2.0-or-later
"""The files of a task on the master domain: task, job, recovery, result.

The first byte chooses the kind. Oracle: TaskMetadataLoadError, short; what is accepted and can be
written is read as the same.
"""

from collections.abc import Callable, Mapping
from typing import Any

from fuzz.target import require
from vdsm.storage import errors
from vdsm.storage.formats import task_state as fmt
from vdsm.storage.formats.task_state import (
    JobRecord,
    RecoveryRecord,
    ResultRecord,
    TaskRecord,
    TaskState,
)

MOST = 1024
PREFIX = 1
_KINDS: tuple[tuple[Callable[[bytes, str], Any], Callable[[Any], bytes], bool], ...] = (
    (fmt.decode_task, fmt.encode_task, True),
    (fmt.decode_job, fmt.encode_job, False),
    (fmt.decode_recovery, fmt.encode_recovery, True),
    (fmt.decode_result, fmt.encode_result, False),
)
"""How to read and to write each, and whether all of it comes back, or texts for people do not."""


def run(data: bytes) -> None:
    decode, encode, exact = _KINDS[(data[0] if data else 0) % len(_KINDS)]
    try:
        found = decode(data[1:], "/path")
    except errors.TaskMetadataLoadError as error:
        require(len(str(error)) < 400, "an error that repeats the input")
        return
    if isinstance(found, TaskRecord):
        require(0 <= found.jobs <= fmt.MAX_COUNT, "jobs")
        require(0 <= found.recoveries <= fmt.MAX_COUNT, "recoveries")
        require(bool(found.state.shown), "a state without a name")
    try:
        written = encode(found)
    except errors.TaskPersistError:
        return
    again = decode(written, "/path")
    if exact and not (isinstance(found, TaskRecord) and found.name != again.name):
        require(again == found, "{} is read as {}", found, again)
    require(encode(again) == written, "{} is written in another way", again)


def seeds() -> Mapping[str, bytes]:
    task = TaskRecord("5e0f3a4c", "n\N{LATIN SMALL LETTER E WITH ACUTE}", "spm", "/rhev/a=b",
                      TaskState.RUNNING, 1, 2)  # fmt: skip
    recovery = RecoveryRecord("r", "image", "Image", "remove", ("a", "b=c", "True"))
    return {
        "task": b"\0" + fmt.encode_task(task),
        "job": b"\1" + fmt.encode_job(JobRecord("copy", "copy a=1")),
        "recovery": b"\2" + fmt.encode_recovery(recovery),
        "result": b"\3" + fmt.encode_result(ResultRecord(-100, "it failed", "x=y")),
        "torn": b"\0" + fmt.encode_task(task)[:-4],
        "version": b"\0" + fmt.encode_task(task).replace(b"Version = 1", b"Version = 2"),
    }
