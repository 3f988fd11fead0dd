# SPDX-License-Identifier: GPL-2.0-or-later
"""Task.*: what a storage task does, and its end."""

from __future__ import annotations

from vdsm.jsonrpc.errors import JSON
from vdsm.jsonrpc.registry import Call, Handler, Params
from vdsm.services import Services
from vdsm.storage import model

_ID = "taskID"


class Task:
    """The verbs of Task. All raise UnknownTask (401) for a task that is not there, and
    InvalidParameter (1000) for what is no UUID."""

    def __init__(self, services: Services) -> None:
        self._tasks = services.storage.tasks

    def table(self) -> dict[str, Handler]:
        """The verbs that touch storage."""
        return {"Task.clear": self.clear}

    def local_table(self) -> dict[str, Handler]:
        """The verbs that wait for nobody."""
        return {
            "Task.getInfo": self.get_info,
            "Task.getStatus": self.get_status,
            "Task.revert": self.revert,
            "Task.stop": self.stop,
        }

    def get_info(self, _call: Call, params: Params) -> JSON:
        """oVirt's TaskInfo."""
        return self._tasks.info(model.uuid(params.get(_ID), _ID))

    def get_status(self, _call: Call, params: Params) -> JSON:
        """oVirt's TaskStatus."""
        return self._tasks.status(model.uuid(params.get(_ID), _ID))

    def stop(self, _call: Call, params: Params) -> JSON:
        """Asks a task to end, after which it is undone. One that has ended: no error."""
        self._tasks.stop(model.uuid(params.get(_ID), _ID))
        return None

    def revert(self, _call: Call, params: Params) -> JSON:
        """Undoes a task that has ended; its status tells how that goes. TaskNotFinished (403)."""
        self._tasks.revert(model.uuid(params.get(_ID), _ID))
        return None

    def clear(self, _call: Call, params: Params) -> JSON:
        """Forgets a task. TaskStateError (410) while it goes on, TaskClearError (402) when its
        files cannot be removed."""
        self._tasks.clear(model.uuid(params.get(_ID), _ID))
        return None
