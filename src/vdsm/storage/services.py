# SPDX-License-Identifier: GPL-2.0-or-later
"""The parts of storage, made once and given to each other.

Making them touches no storage, starts no thread and no process; each part does so when it is first
used. `close` ends what they started.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Final

from vdsm.host.tree import HostTree
from vdsm.jobs import Jobs
from vdsm.jsonrpc.events import Events
from vdsm.storage import errors
from vdsm.storage.domain.dump import Dumps
from vdsm.storage.domain.lifecycle import Lifecycle
from vdsm.storage.domain.registry import MountedDomains
from vdsm.storage.image.images import Images
from vdsm.storage.locks import ClusterLocks
from vdsm.storage.locks.external import format_index
from vdsm.storage.model import DomainStatus
from vdsm.storage.monitor.monitors import DomainMonitors
from vdsm.storage.outofprocess.pool import WorkerFileSystems
from vdsm.storage.pool.pools import StoragePools
from vdsm.storage.sdm.jobs import SdmJobs
from vdsm.storage.tasks.manager import TaskManager
from vdsm.storage.tasks.resources import ResourceLocks
from vdsm.storage.volume.qemu_img import QemuImg
from vdsm.storage.volume.volumes import FileVolumes
from vdsm_contract.config import Config
from vdsm_contract.proxy import Supervdsm

log = logging.getLogger(__name__)

_TASKS_END_S: Final = 5.0
"""How long tasks may take to end when vdsm does; the next SPM undoes those that did not."""


@dataclass(frozen=True, slots=True)
class StorageServices:
    """What the verbs of storage are given to work with."""

    filesystems: WorkerFileSystems
    locks: ClusterLocks
    domains: MountedDomains
    monitors: DomainMonitors
    resources: ResourceLocks
    tasks: TaskManager
    pools: StoragePools
    lifecycle: Lifecycle
    dumps: Dumps
    qemu_img: QemuImg
    volumes: FileVolumes
    images: Images
    sdm: SdmJobs

    def close(self) -> None:
        """Ends what the parts started: tasks, monitors, jobs, worker processes; in this order."""
        self.sdm.close(_TASKS_END_S)
        self.pools.close()
        self.tasks.close(_TASKS_END_S)
        self.monitors.close()
        self.filesystems.close()


def make(
    config: Config, supervdsm: Supervdsm, *, tree: HostTree, events: Events, jobs: Jobs
) -> StorageServices:
    """The parts, connected."""
    filesystems = WorkerFileSystems()
    locks = ClusterLocks(config.io_timeout)
    domains = MountedDomains(filesystems, tree, locks)
    resources, tasks, qemu_img = ResourceLocks(), TaskManager(), QemuImg()
    volumes = FileVolumes(domains, resources, qemu_img)
    volumes.register(tasks)
    images = Images(domains, volumes, resources, qemu_img)
    images.register(tasks)
    monitors = DomainMonitors(domains)
    pools = StoragePools(domains, monitors, tasks, resources, format_index)
    pools.when_spm(lambda pool: _sweep(pools, images, pool))
    lifecycle = Lifecycle(
        domains=domains,
        filesystems=filesystems,
        locks=locks,
        format_leases=format_index,
        resources=resources,
        pools=pools,
        storage=supervdsm.storage,
    )
    return StorageServices(
        filesystems=filesystems,
        locks=locks,
        domains=domains,
        monitors=monitors,
        resources=resources,
        tasks=tasks,
        pools=pools,
        lifecycle=lifecycle,
        dumps=Dumps(supervdsm.storage),
        qemu_img=qemu_img,
        volumes=volumes,
        images=images,
        sdm=SdmJobs(domains, volumes, resources, pools, qemu_img, jobs, events),
    )


def _sweep(pools: StoragePools, images: Images, pool: str) -> None:
    """A new SPM finishes the deletions of images that a crash ended, of any host."""
    try:
        statuses = pools.domains(pool)
        images.sweep(uuid for uuid, each in statuses.items() if each is DomainStatus.ACTIVE)
    except (errors.StorageError, OSError) as error:
        log.warning("Images that were deleted are left in pool %s: %s", pool, error)
