# SPDX-License-Identifier: GPL-2.0-or-later
"""The verbs of oVirt's API, by namespace. What is not here is not implemented."""

from __future__ import annotations

from vdsm.jsonrpc.registry import Registry, registry
from vdsm.services import Services
from vdsm.verbs.host import Host
from vdsm.verbs.host_network import HostNetwork
from vdsm.verbs.host_storage import HostStorage
from vdsm.verbs.host_tasks import HostTasks
from vdsm.verbs.image import Image
from vdsm.verbs.lease import Lease
from vdsm.verbs.sdm import Sdm
from vdsm.verbs.storage_domain import StorageDomain
from vdsm.verbs.storage_pool import StoragePool
from vdsm.verbs.task import Task
from vdsm.verbs.volume import Volume

__all__ = ["build_table"]


def build_table(services: Services) -> Registry:
    """All verbs, working with `services`. Touches neither the host nor supervdsm."""
    host, network, storage_pool = Host(services), HostNetwork(services), StoragePool(services)
    host_tasks, task = HostTasks(services), Task(services)
    host_storage, sdm = HostStorage(services), Sdm(services)
    return registry(
        host.table(),
        network.table(),
        local=host.local_table()
        | host_storage.local_table()
        | host_tasks.local_table()
        | sdm.local_table()
        | storage_pool.local_table()
        | task.local_table(),
        storage=host_storage.table()
        | Image(services).table()
        | Lease(services).table()
        | sdm.table()
        | StorageDomain(services).table()
        | storage_pool.table()
        | task.table()
        | Volume(services).table(),
        network=network.change_table(),
    )
