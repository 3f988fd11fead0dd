# SPDX-License-Identifier: GPL-2.0-or-later
"""Task.* and Host.getAllTasks*: shapes and errors, as an engine sees them."""

from __future__ import annotations

import threading

import pytest

from unit.vdsm.verbs.caller import Client
from vdsm.jsonrpc.errors import JSON
from vdsm.storage.protocols import Task

UNKNOWN = "88888888-0000-4000-8000-000000000000"
VERBS = ("getStatus", "getInfo", "stop", "revert", "clear")


def test_a_task_from_its_start_to_its_end(client: Client) -> None:
    tasks, began, let_go = client.services.storage.tasks, threading.Event(), threading.Event()

    def work(_task: Task) -> JSON:
        began.set()
        assert let_go.wait(30)
        return {"uuid": "v1"}

    task = tasks.start("createVolume", work)
    assert began.wait(30)
    status = client.call("Task.getStatus", taskID=task)
    assert isinstance(status, dict)
    assert status["taskState"] == "running"
    assert client.code("Task.clear", taskID=task) == 410
    assert client.code("Task.revert", taskID=task) == 403
    assert client.call("Host.getAllTasksStatuses") == {task: status}
    let_go.set()
    assert tasks.wait(task, 30)
    assert client.call("Task.getInfo", taskID=task) == {"id": task, "verb": "createVolume"}
    assert client.call("Host.getAllTasksInfo") == {task: {"id": task, "verb": "createVolume"}}
    assert client.call("Host.getAllTasks") == {
        task: {
            "id": task,
            "verb": "createVolume",
            "state": "finished",
            "taskResult": "success",
            "code": 0,
            "message": "The task is done",
            "result": {"uuid": "v1"},
            "tag": "spm",
        }
    }
    assert client.call("Task.stop", taskID=task) is True
    assert client.call("Task.clear", taskID=task) is True
    assert client.call("Host.getAllTasks") == {}


@pytest.mark.parametrize("verb", VERBS)
def test_a_task_that_is_not_there_is_unknown(client: Client, verb: str) -> None:
    assert client.code(f"Task.{verb}", taskID=UNKNOWN) == 401


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("task", ["", "../../etc", "a.b"])
def test_what_is_no_uuid_is_refused_by_the_name_of_its_parameter(
    client: Client, verb: str, task: str
) -> None:
    assert "taskID" in str(client.error(f"Task.{verb}", taskID=task))
