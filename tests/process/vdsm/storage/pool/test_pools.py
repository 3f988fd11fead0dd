# SPDX-License-Identifier: GPL-2.0-or-later
"""The life of a pool of local domains: real mounts, workers, locks, monitors and tasks."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from process.vdsm.storage.domain.mounted_site import MountedSite, run
from storage.domain_site import DOMAIN, OTHER, POOL
from vdsm.storage import errors, layout
from vdsm.storage.domain.registry import MountedDomains
from vdsm.storage.locks import ClusterLocks
from vdsm.storage.locks.external import format_index
from vdsm.storage.model import BLANK_UUID, DomainStatus, SpmStatus
from vdsm.storage.monitor.monitors import DomainMonitors
from vdsm.storage.pool.changes import LeaseParameters
from vdsm.storage.pool.links import Links
from vdsm.storage.pool.pools import StoragePools
from vdsm.storage.pool.spm import StartRequest
from vdsm.storage.pool.vms import Machine
from vdsm.storage.tasks.manager import TaskManager
from vdsm.storage.tasks.resources import ResourceLocks

PATIENCE_S = 60.0
MACHINE = Machine("c4b9d9e8-3d5a-4b2e-8f7a-5ebc9d3f4a6b", "<ovf/>")


class Host:
    """A vdsm's parts of a pool, of its own process as far as locks go."""

    def __init__(self, site: MountedSite) -> None:
        self.site = site
        self.domains = MountedDomains(site.filesystems, site.tree, ClusterLocks(10), site.directory)
        self.monitors = DomainMonitors(self.domains, 0.1)
        self.tasks = TaskManager()
        self.pools = StoragePools(
            self.domains,
            self.monitors,
            self.tasks,
            ResourceLocks(),
            format_index,
            Links(site.directory.parent),
        )

    def close(self) -> None:
        self.tasks.close(5)
        self.monitors.close()

    def create_and_connect(self) -> None:
        self.pools.create(
            POOL,
            name="default",
            master=DOMAIN,
            version=1,
            members=(DOMAIN,),
            lease=LeaseParameters(),
        )
        self.connect()

    def connect(self) -> None:
        self.pools.connect(
            POOL, host_id=1, master=DOMAIN, version=1, domains={DOMAIN: DomainStatus.ACTIVE}
        )

    def end(self, task: str) -> object:
        """The code that a task ends with."""
        wait_until(lambda: self.tasks.status(task)["taskState"] == "finished")
        return self.tasks.status(task)["code"]

    def start_spm(self) -> object:
        return self.end(self.pools.spm_start(POOL, StartRequest()))


def wait_until(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture
def host(site: MountedSite) -> Iterator[Host]:
    host = Host(site)
    yield host
    host.close()


def make_domains(site: MountedSite) -> None:
    for spec, uuid in (("/data", DOMAIN), ("/more", OTHER)):
        site.small(spec)
        site.lifecycle.create(site.new(uuid=uuid, remote_path=spec))


def test_a_pool_from_its_first_domain_to_its_last(host: Host) -> None:
    make_domains(host.site)
    host.create_and_connect()
    assert host.start_spm() == 0
    assert host.pools.spm_info(POOL) == {"spmStatus": "SPM", "spmLver": -1, "spmId": 1}
    host.pools.attach(POOL, OTHER)
    host.pools.activate(POOL, OTHER)
    wait_until(lambda: host.monitors.is_valid(DOMAIN) and host.monitors.is_valid(OTHER))
    host.pools.update_vms(POOL, [MACHINE], None)
    assert host.end(host.pools.switch_master(POOL, DOMAIN, OTHER, 2)) == 0
    directory = host.site.directory.parent / POOL
    assert (directory / "mastersd").resolve().name == OTHER
    assert (directory / "mastersd" / layout.VMS / MACHINE.uuid).is_dir()
    assert (directory / DOMAIN / layout.IMAGES).is_dir()
    info = host.pools.info(POOL)
    assert isinstance(info, dict)
    domains = info["dominfo"]
    assert isinstance(domains, dict)
    assert all(isinstance(one, dict) and one["disktotal"] == str(1 << 20) for one in
               domains.values())  # fmt: skip
    host.pools.deactivate(POOL, DOMAIN, BLANK_UUID, 0)
    host.pools.detach(POOL, DOMAIN)
    host.pools.destroy(POOL, 1)
    assert not directory.exists()
    assert host.monitors.watched() == []
    for uuid in (DOMAIN, OTHER):
        assert host.domains.find(uuid).metadata().pools == ()
        host.site.lifecycle.format(uuid, auto_detach=False)


def test_one_of_two_is_spm_and_the_other_follows(site: MountedSite, host: Host) -> None:
    make_domains(site)
    host.create_and_connect()
    assert host.start_spm() == 0
    other = Host(site)
    other.connect()
    assert other.start_spm() == errors.AcquireLockFailure.number
    assert other.pools.spm_status(POOL) is SpmStatus.FREE
    host.pools.spm_stop(POOL)
    assert other.start_spm() == 0
    other.pools.spm_stop(POOL)
    other.close()


def test_a_read_only_master_makes_no_spm_and_leaves_the_lock(host: Host) -> None:
    make_domains(host.site)
    host.create_and_connect()
    mount = host.site.path("/data")
    host.site.read_only(mount)
    assert host.start_spm() == errors.InsufficientPermissions.number
    assert host.pools.spm_info(POOL) == {"spmStatus": "Free", "spmLver": -1, "spmId": -1}
    run("mount", "-n", "-o", "remount,rw", mount)
    assert host.start_spm() == 0
