# SPDX-License-Identifier: GPL-2.0-or-later
"""The files of a task: there and back, oVirt's own, torn ones and hostile ones."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vdsm.storage import errors
from vdsm.storage.formats import task_state
from vdsm.storage.formats.task_state import (
    JobRecord,
    RecoveryRecord,
    ResultRecord,
    TaskRecord,
    TaskState,
)

TASK_ID = "5f7b1c1e-7f3f-4d7e-9d0a-4d6a0c1b2a3c"

OVIRT_TASK = f"""\
id = {TASK_ID}
name = createVolume
tag = spm
store = /rhev/data-center/0a/mastersd/master/tasks
recoveryPolicy = auto
persistPolicy = auto
cleanPolicy = manual
priority = low
state = running
njobs = 1
nrecoveries = 2
metadataVersion = 1
""".encode()

OVIRT_RECOVERY = b"""\
name = Halfbaked volume rollback
moduleName = fileVolume
object = FileVolume
function = halfbakedVolumeRollback
params = sd,vol,/rhev/data-center/mnt/a_eq_b/sd/images/img/vol
"""

# Printable, without what only `_exact` texts may not have.
_TEXT = st.text(st.characters(blacklist_categories=("Cc", "Cs", "Zl", "Zp")), max_size=40)
_EXACT = _TEXT.map(str.strip).filter(lambda text: text.isprintable() and "_eq_" not in text)
_PARAM = _EXACT.filter(lambda text: bool(text) and "," not in text)


def _keeps(text: str) -> bool:
    return text.replace("=", "_eq_").replace("_eq_", "=") == text


def test_the_file_that_ovirt_writes_is_read_and_written_the_same() -> None:
    task = task_state.decode_task(OVIRT_TASK, "t")
    assert (task.id, task.state, task.recoveries) == (TASK_ID, TaskState.RUNNING, 2)
    assert task_state.encode_task(task) == OVIRT_TASK
    recovery = task_state.decode_recovery(OVIRT_RECOVERY, "r")
    assert recovery.params[2] == "/rhev/data-center/mnt/a=b/sd/images/img/vol"
    assert task_state.encode_recovery(recovery) == OVIRT_RECOVERY


@given(
    st.builds(
        TaskRecord,
        id=_EXACT.filter(_keeps),
        name=_TEXT.map(lambda text: " ".join(text.split())),
        tag=_EXACT.filter(_keeps),
        store=_EXACT.filter(_keeps),
        state=st.sampled_from(TaskState),
        jobs=st.integers(0, 100),
        recoveries=st.integers(0, 100),
    ).filter(lambda task: "_eq_" not in task.name and _keeps(task.name))
)
def test_a_task_comes_back_as_it_was(task: TaskRecord) -> None:
    assert task_state.decode_task(task_state.encode_task(task), "t") == task


@given(
    st.builds(
        RecoveryRecord,
        name=_EXACT.filter(_keeps),
        module=_EXACT.filter(_keeps),
        object=_EXACT.filter(_keeps),
        function=_EXACT.filter(_keeps),
        params=st.lists(_PARAM.filter(_keeps), max_size=5).map(tuple),
    )
)
def test_a_recovery_comes_back_as_it_was_or_is_refused(recovery: RecoveryRecord) -> None:
    assert task_state.decode_recovery(task_state.encode_recovery(recovery), "r") == recovery


@given(st.text(max_size=60), st.text(max_size=60))
def test_any_text_for_people_can_be_written_and_stays_one_line(message: str, result: str) -> None:
    data = task_state.encode_result(ResultRecord(411, message, result))
    assert data.count(b"\n") == 3
    assert task_state.decode_result(data, "r").code == 411
    data = task_state.encode_job(JobRecord(message, result))
    assert data.count(b"\n") == 2
    task_state.decode_job(data, "j")


@given(st.text(max_size=30).map(str.strip))
def test_a_param_is_kept_exactly_or_refused(param: str) -> None:
    recovery = RecoveryRecord("n", "m", "o", "f", (param,))
    try:
        data = task_state.encode_recovery(recovery)
    except errors.TaskPersistError:
        assert "," in param or not param or not (_keeps(param) and param.isprintable())
    else:
        assert task_state.decode_recovery(data, "r") == recovery


@pytest.mark.parametrize("param", ["", "a,b", "a_eq_b", " a", "a\nb", "a\x85b", "_eq=", "_e=q_"])
def test_a_param_that_would_come_back_changed_is_refused(param: str) -> None:
    recovery = RecoveryRecord("n", "m", "o", "f", (param,))
    try:
        data = task_state.encode_recovery(recovery)
    except errors.TaskPersistError:
        return
    assert task_state.decode_recovery(data, "r") == recovery


@pytest.mark.parametrize(
    ("decode", "whole"),
    [
        (task_state.decode_task, OVIRT_TASK),
        (task_state.decode_recovery, OVIRT_RECOVERY),
        (task_state.decode_result, b"code = 0\nmessage = done\nresult = {}\n"),
    ],
)
def test_a_file_that_is_cut_anywhere_is_never_taken_for_another(
    decode: Callable[[bytes, str], object], whole: bytes
) -> None:
    for length in range(len(whole)):
        try:
            read = decode(whole[:length], "/master/tasks/x.task")
        except errors.TaskMetadataLoadError as error:
            assert "/master/tasks/x.task" in str(error)  # noqa: PT017
        else:
            # Only a result may lack its last lines: its code is what counts.
            assert isinstance(read, ResultRecord)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused_by_name(data: bytes) -> None:
    for decode in (
        task_state.decode_task,
        task_state.decode_job,
        task_state.decode_recovery,
        task_state.decode_result,
    ):
        try:
            decode(data, "the-file")
        except errors.TaskMetadataLoadError as error:
            assert "the-file" in str(error)  # noqa: PT017


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"state = running", b"state = dancing"),
        (b"nrecoveries = 2", b"nrecoveries = -1"),
        (b"nrecoveries = 2", b"nrecoveries = 99999999"),
        (b"nrecoveries = 2", b"nrecoveries = two"),
        (b"metadataVersion = 1", b"metadataVersion = 2"),
        (b"njobs = 1", b"njobs = "),
    ],
)
def test_a_value_that_cannot_be_is_named(old: bytes, new: bytes) -> None:
    with pytest.raises(errors.TaskMetadataLoadError, match="the-file"):
        task_state.decode_task(OVIRT_TASK.replace(old, new), "the-file")


def test_states_are_shown_as_clients_know_them() -> None:
    shown = {state.shown for state in TaskState}
    assert shown == {"unknown", "init", "running", "finished", "aborting", "cleaning"}
    assert {state.value: state.result for state in TaskState if state.is_done} == {
        "finished": "success",
        "recovered": "cleanSuccess",
        "failed": "cleanFailure",
    }
    assert not any(state.result for state in TaskState if not state.is_done)
