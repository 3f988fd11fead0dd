# SPDX-License-Identifier: GPL-2.0-or-later
"""Becoming SPM, being it with others around, losing it, and ceasing to be it."""

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from unit.vdsm.storage.pool.world import ACTIVE, FEW_HOSTS, PATIENCE_S, POOL, Killed, World
from vdsm.jsonrpc.errors import JSON
from vdsm.storage import errors, layout
from vdsm.storage.domain_types import DomainType
from vdsm.storage.model import SpmStatus
from vdsm.storage.pool.connected import ConnectedPool
from vdsm.storage.pool.spm import Spm, StartRequest
from vdsm.storage.protocols import Owner, Task


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def connected(world: World, *, on_disk: bool = False) -> str:
    master = world.make_domain()
    world.create(master)
    world.connect(master, on_disk=on_disk)
    return master


def status(world: World) -> JSON:
    return world.pools.spm_info(POOL)


def test_the_spm_holds_the_lease_and_has_the_masters_directories(world: World) -> None:
    master = connected(world)
    assert status(world) == {"spmStatus": "Free", "spmId": -1, "spmLver": -1}
    assert world.start_spm() == 0
    assert world.leases.owners[master].host_id == 1
    assert (world.mount / master / layout.TASKS).is_dir()
    assert (world.mount / master / layout.VMS).is_dir()
    generation = world.leases.owners[master].generation
    assert status(world) == {"spmStatus": "SPM", "spmId": 1, "spmLver": generation}
    world.pools.require_spm(POOL)


def test_the_disk_notes_the_spm_and_counts_its_leases(world: World) -> None:
    connected(world, on_disk=True)
    assert status(world) == {"spmStatus": "Free", "spmId": -1, "spmLver": -1}
    assert world.start_spm() == 0
    assert status(world) == {"spmStatus": "SPM", "spmId": 1, "spmLver": 0}
    world.pools.spm_stop(POOL)
    assert status(world) == {"spmStatus": "Free", "spmId": -1, "spmLver": 0}
    assert world.start_spm(replace(FEW_HOSTS, previous=(-1, 0))) == 0
    assert status(world) == {"spmStatus": "SPM", "spmId": 1, "spmLver": 1}


def test_a_former_spm_that_the_engine_does_not_know_is_refused(world: World) -> None:
    connected(world, on_disk=True)
    assert world.start_spm() == 0
    world.pools.spm_stop(POOL)
    assert world.start_spm(StartRequest(previous=(4, 7))) == errors.SpmParamsMismatch.number
    assert world.pools.spm_status(POOL) is SpmStatus.FREE


def test_what_needs_the_spm_is_refused_before_and_after(world: World) -> None:
    master = connected(world)
    for work in (
        lambda: world.pools.require_spm(POOL),
        lambda: world.pools.attach(POOL, master),
        lambda: world.pools.upgrade(POOL, 5),
        lambda: world.pools.update_vms(POOL, [], None),
        lambda: world.pools.set_description(POOL, "x"),
        lambda: world.pools.destroy(POOL, 1),
    ):
        with pytest.raises(errors.SpmStatusError):
            work()


def test_an_spm_does_not_start_or_disconnect(world: World) -> None:
    world.begin()
    with pytest.raises(errors.IsSpm):
        world.pools.spm_start(POOL, StartRequest())
    with pytest.raises(errors.IsSpm):
        world.pools.disconnect(POOL)
    assert world.pools.connected() == POOL


def test_of_two_hosts_one_becomes_spm_and_the_other_when_it_is_gone(world: World) -> None:
    master = world.begin()
    other = world.another()
    other.connect(master, host_id=2)
    assert other.start_spm() == errors.AcquireLockFailure.number
    assert other.pools.spm_status(POOL) is SpmStatus.FREE
    seen = status(other)
    assert isinstance(seen, dict)
    assert (seen["spmStatus"], seen["spmId"]) == ("Free", 1)
    world.pools.spm_stop(POOL)
    assert other.start_spm() == 0
    assert world.start_spm() == errors.AcquireLockFailure.number


def test_two_hosts_with_one_host_id(world: World) -> None:
    master = world.begin()
    other = world.another()
    other.connect(master, host_id=1)
    assert other.start_spm() == errors.AcquireHostIdFailure.number
    assert other.pools.spm_status(POOL) is SpmStatus.FREE
    assert world.leases.owners[master].host_id == 1


def test_a_start_that_fails_after_the_lease_gives_it_back(world: World) -> None:
    master = connected(world)
    (world.mount / master / layout.MASTER).write_text("in the way")
    assert world.start_spm() != 0
    assert world.pools.spm_status(POOL) is SpmStatus.FREE
    assert master not in world.leases.owners
    (world.mount / master / layout.MASTER).unlink()
    assert world.start_spm() == 0


def test_a_domain_that_is_newer_than_the_engine_wants(world: World) -> None:
    connected(world)
    assert world.start_spm(StartRequest(version=4)) == errors.DomainVersionTooAdvanced.number


def test_a_kill_is_repaired_by_the_same_call(tmp_path: Path) -> None:
    for kill_at in range(5):
        root = tmp_path / str(kill_at)
        root.mkdir()
        world = World(root)
        master = connected(world, on_disk=True)
        pool = ConnectedPool(POOL, 1, world.domains.find(master), world.pools._pool(POOL).backend)
        world.fate.changes_left = kill_at
        spm = Spm(world.tasks, lambda _pool, _version: None)
        try:
            spm.start(pool, FEW_HOSTS)
        except Killed:
            pass
        else:
            world.fate.changes_left = None
            spm.stop(pool)
        world = world.restarted()
        world.connect(master, on_disk=True)
        assert world.start_spm() == 0, kill_at
        assert (world.mount / master / layout.TASKS).is_dir()


class TestStopping:
    def test_not_while_a_task_goes_on(self, world: World) -> None:
        world.begin()
        running, go_on = threading.Event(), threading.Event()

        def work(_task: Task) -> JSON:
            running.set()
            assert go_on.wait(PATIENCE_S)
            return None

        task = world.tasks.start("work", work, pool=POOL)
        assert running.wait(PATIENCE_S)
        with pytest.raises(errors.SpmStopError) as caught:
            world.pools.spm_stop(POOL)
        assert task in str(caught.value)
        world.pools.require_spm(POOL)
        go_on.set()
        assert world.end(task)[0] == 0
        world.pools.spm_stop(POOL)

    def test_twice_is_no_error(self, world: World) -> None:
        master = world.begin()
        world.pools.spm_stop(POOL)
        world.pools.spm_stop(POOL)
        assert master not in world.leases.owners

    def test_not_of_a_pool_that_is_not_connected(self, world: World) -> None:
        with pytest.raises(errors.StoragePoolUnknown):
            world.pools.spm_stop(POOL)


class TestLosingTheLease:
    def start(self, world: World) -> tuple[ConnectedPool, str]:
        master = connected(world)
        pool = world.pools._pool(POOL)
        spm = Spm(world.tasks, lambda _pool, _version: None, 0.01, 0.05)
        spm.start(pool, FEW_HOSTS)
        return pool, master

    def wait_until(self, what: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not what():
            assert time.monotonic() < deadline
            time.sleep(0.005)

    def test_to_another_host_the_pool_is_touched_no_more(self, world: World) -> None:
        pool, master = self.start(world)
        running = threading.Event()
        ended = threading.Event()

        def work(task: Task) -> JSON:
            with task.on_abort(ended.set):
                running.set()
                assert ended.wait(PATIENCE_S)
            task.check()
            return None

        world.tasks.start("work", work, pool=POOL)
        assert running.wait(PATIENCE_S)
        world.leases.owners[master] = Owner(9, 2)
        self.wait_until(lambda: pool.role is SpmStatus.FREE)
        assert ended.wait(PATIENCE_S)
        with pytest.raises(errors.SpmStatusError):
            world.pools.require_spm(POOL)
        assert not world.tasks.unfinished(POOL)

    def test_to_a_master_that_is_dead(self, world: World) -> None:
        pool, master = self.start(world)
        world.leases.broken.add(master)
        self.wait_until(lambda: pool.role is SpmStatus.FREE)

    def test_not_to_a_master_that_answers_again(self, world: World) -> None:
        master = connected(world)
        pool = world.pools._pool(POOL)
        spm = Spm(world.tasks, lambda _pool, _version: None, 0.01, 60.0)
        spm.start(pool, FEW_HOSTS)
        for _ in range(5):
            world.leases.broken.add(master)
            time.sleep(0.02)
            world.leases.broken.clear()
        assert pool.role is SpmStatus.SPM
        spm.stop(pool)


def test_a_localfs_master_has_no_mailbox(world: World) -> None:
    master = world.make_domain(DomainType.LOCALFS)
    (world.mount / master / layout.OUTBOX).unlink()
    world.create(master)
    world.connect(master)
    assert world.start_spm() == 0


def test_the_pool_of_a_destroyed_pool_is_nobodys(world: World) -> None:
    other = world.make_domain()
    master = world.begin(other)
    with pytest.raises(errors.HostIdMismatch):
        world.pools.destroy(POOL, 2)
    world.pools.destroy(POOL, 1)
    assert world.metadata(master).pools == world.metadata(other).pools == ()
    assert world.pools.connected() is None
    assert not world.links()
    assert not world.monitors.of
    assert master not in world.leases.owners
    world.create(other, master)
    world.connect(other, {master: ACTIVE})
