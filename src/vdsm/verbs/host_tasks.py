# SPDX-License-Identifier: GPL-2.0-or-later
"""Host.getAllTasks*: all storage tasks of this host. They wait for nobody."""

from __future__ import annotations

from vdsm.jsonrpc.errors import JSON
from vdsm.jsonrpc.registry import Call, Handler, Params
from vdsm.services import Services


class HostTasks:
    """The verbs of Host that list tasks."""

    def __init__(self, services: Services) -> None:
        self._tasks = services.storage.tasks

    def local_table(self) -> dict[str, Handler]:
        return {
            "Host.getAllTasks": self.get_all_tasks,
            "Host.getAllTasksInfo": self.get_all_tasks_info,
            "Host.getAllTasksStatuses": self.get_all_tasks_statuses,
        }

    def get_all_tasks(self, _call: Call, _params: Params) -> JSON:
        """oVirt's TasksDetails."""
        return self._tasks.details()

    def get_all_tasks_info(self, _call: Call, _params: Params) -> JSON:
        """oVirt's TasksInfo."""
        return self._tasks.infos()

    def get_all_tasks_statuses(self, _call: Call, _params: Params) -> JSON:
        """oVirt's TasksStatus."""
        return self._tasks.statuses()
