# SPDX-License-Identifier: GPL-2.0-or-later
"""vdsm's whole storage as a client of its API meets it: the schema, the verbs, the real parts with
their workers and qemu-img, on a real mount; only supervdsm is a fake, which mounts nothing.

host = ApiHost(site)             # a MountedSite: its thread has a mount namespace of its own
Engine(host.call, LOCALFS, {"connection": "/data"}).create_domain()
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

from storage.domain_site import DomainSite
from storage.engine import Refused
from unit.vdsm.fakes import FakeStorage, FakeSupervdsm
from vdsm.jobs import Jobs
from vdsm.jsonrpc import schema
from vdsm.jsonrpc.dispatch import invoke
from vdsm.jsonrpc.errors import VdsmError
from vdsm.jsonrpc.events import Events
from vdsm.jsonrpc.registry import Address, Call
from vdsm.services import Services
from vdsm.storage.connections import Connections
from vdsm.storage.domain.dump import Dumps
from vdsm.storage.domain.lifecycle import Lifecycle
from vdsm.storage.domain.registry import MountedDomains
from vdsm.storage.image.images import Images
from vdsm.storage.image.prepared import PreparedLinks
from vdsm.storage.locks import ClusterLocks
from vdsm.storage.locks.external import format_index
from vdsm.storage.monitor.monitors import DomainMonitors
from vdsm.storage.outofprocess.pool import WorkerFileSystems
from vdsm.storage.pool.links import Links
from vdsm.storage.pool.pools import StoragePools
from vdsm.storage.sdm.jobs import SdmJobs
from vdsm.storage.services import StorageServices
from vdsm.storage.tasks.manager import TaskManager
from vdsm.storage.tasks.resources import ResourceLocks
from vdsm.storage.volume.qemu_img import QemuImg
from vdsm.storage.volume.volumes import FileVolumes
from vdsm.verbs import build_table, storage_pool
from vdsm_contract.config import Config
from vdsm_contract.errors import MountFailed

PATIENCE_S = 60.0
_LARGE = 4 << 20  # such a file's change is told by its time
Snapshot = dict[str, tuple[int, int, int, str]]


@dataclass
class MountsNothing(FakeStorage):
    """Lets nothing be mounted."""

    def mount(
        self,
        fs_spec: str,
        fs_file: str,
        mnt_opts: str | None = None,
        vfs_type: str | None = None,
    ) -> None:
        del mnt_opts, vfs_type
        raise MountFailed(fs_spec, fs_file, 32, "there is no such server")


@dataclass
class ApiHost:
    """One vdsm, on what `site` has mounted. Everything it writes is below `root`."""

    site: DomainSite
    root: Path
    filesystems: WorkerFileSystems
    jobs: Jobs = field(default_factory=Jobs)

    def __post_init__(self) -> None:
        supervdsm = FakeSupervdsm(self.root)
        supervdsm.storage = MountsNothing(self.root)
        events = Events()
        services = Services(Config(), supervdsm, events, self.site.tree, jobs=self.jobs)
        self.storage = self._parts(supervdsm, events)
        object.__setattr__(services, "storage", self.storage)
        here = partial(Connections, directory=self.site.directory)
        with mock.patch.object(storage_pool, "Connections", here):
            self.table = build_table(services)

    def _parts(self, supervdsm: FakeSupervdsm, events: Events) -> StorageServices:
        """What services.make makes, below `root`."""
        directory = self.site.directory
        locks, resources = ClusterLocks(10), ResourceLocks(timeout_s=20)
        domains = MountedDomains(self.filesystems, self.site.tree, locks, directory)
        tasks, qemu_img = TaskManager(), QemuImg()
        volumes = FileVolumes(domains, resources, qemu_img)
        volumes.register(tasks)
        images = Images(
            domains,
            volumes,
            resources,
            qemu_img,
            PreparedLinks(self.root / "run/vdsm/storage"),
            directory.parent,
        )
        images.register(tasks)
        monitors = DomainMonitors(domains)
        links = Links(directory.parent)
        pools = StoragePools(domains, monitors, tasks, resources, format_index, links)
        return StorageServices(
            filesystems=self.filesystems,
            locks=locks,
            domains=domains,
            monitors=monitors,
            resources=resources,
            tasks=tasks,
            pools=pools,
            lifecycle=Lifecycle(
                domains=domains,
                filesystems=self.filesystems,
                locks=locks,
                format_leases=format_index,
                resources=resources,
                pools=pools,
                storage=supervdsm.storage,
                directory=directory,
            ),
            dumps=Dumps(supervdsm.storage),
            qemu_img=qemu_img,
            volumes=volumes,
            images=images,
            sdm=SdmJobs(domains, volumes, resources, pools, qemu_img, self.jobs, events),
        )

    def close(self) -> None:
        self.storage.close()

    def call(self, verb: str, params: Mapping[str, Any]) -> Any:
        """A call as the dispatcher makes it. Raises Refused."""
        call = Call(verb, "f-1", Address("203.0.113.9", 40000), Address("192.0.2.7", 54321))
        sent = json.loads(json.dumps(params))
        outcome = invoke(call, lambda: self.table[verb](call, schema.load().check(verb, sent)))
        if isinstance(outcome, VdsmError):
            raise Refused(verb, outcome.code, outcome.message)
        return json.loads(outcome)

    def outcome(self, verb: str, params: Mapping[str, Any]) -> tuple[int, str]:
        """The code and the message that a call ends with, or the task or the job that it starts;
        0 for a success. Tasks are cleared."""
        try:
            answer = self.call(verb, params)
            if isinstance(answer, str) and answer in self.storage.tasks.statuses():
                return self._end_task(answer)
            if verb.startswith("SDM."):
                return self._end_job(str(params["job_id"]))
        except Refused as refused:
            return refused.code, refused.message
        return 0, ""

    def _end_task(self, task: str) -> tuple[int, str]:
        assert self.storage.tasks.wait(task, PATIENCE_S), task
        status = self.call("Task.getStatus", {"taskID": task})
        self.call("Task.clear", {"taskID": task})
        return int(status["code"]), str(status["message"])

    def _end_job(self, job: str) -> tuple[int, str]:
        deadline = time.monotonic() + PATIENCE_S
        while True:
            told: Any = self.jobs.info()[job.lower()]
            if told["status"] in ("done", "failed", "aborted"):
                break
            assert time.monotonic() < deadline, told
            time.sleep(0.002)
        error = told.get("error") or {"code": 0, "message": ""}
        return int(error["code"]), str(error["message"])

    def snapshot(self) -> Snapshot:
        """Everything below `root`, with its mode, its owner, and what is in it."""
        return {str(path): _look(path) for path in _below(self.root)}


def _below(directory: Path) -> Iterator[Path]:
    for entry in os.scandir(directory):
        yield Path(entry.path)
        if entry.is_dir(follow_symlinks=False):
            yield from _below(Path(entry.path))


def _look(path: Path) -> tuple[int, int, int, str]:
    found = path.lstat()
    inside = ""
    if stat.S_ISLNK(found.st_mode):
        inside = str(path.readlink())
    elif found.st_size > _LARGE:
        inside = str(found.st_ctime_ns)
    elif stat.S_ISREG(found.st_mode) and found.st_blocks:
        inside = hashlib.sha1(path.read_bytes(), usedforsecurity=False).hexdigest()
    size = 0 if stat.S_ISDIR(found.st_mode) else found.st_size
    return found.st_mode, found.st_uid, size, inside
