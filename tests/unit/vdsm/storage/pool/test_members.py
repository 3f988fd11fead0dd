# SPDX-License-Identifier: GPL-2.0-or-later
"""Attaching, activating, deactivating and detaching domains; and a master whose role moves."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from unit.vdsm.storage.pool.world import ACTIVE, ATTACHED, PATIENCE_S, POOL, Killed, World
from vdsm.storage import errors, layout
from vdsm.storage.model import BLANK_UUID, DomainClass, Role
from vdsm.storage.pool.vms import Machine

OTHER_POOL = "5a0b1c2d-0000-4000-8000-000000000002"
NOBODY = "5a0b1c2d-0000-4000-8000-00000000000f"


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.mark.parametrize("on_disk", [False, True])
def test_a_domain_comes_and_goes(world: World, on_disk: bool) -> None:
    master, domain = world.begin(on_disk=on_disk), world.make_domain()
    world.pools.attach(POOL, domain)
    assert world.metadata(domain).pools == (POOL,)
    assert world.pools.domains(POOL) == {master: ACTIVE, domain: ATTACHED}
    assert domain not in world.monitors.of
    world.pools.activate(POOL, domain)
    assert world.pools.domains(POOL)[domain] is ACTIVE
    assert domain in world.monitors.of
    assert world.links()[domain] == domain
    world.pools.deactivate(POOL, domain, BLANK_UUID, 0)
    assert world.pools.domains(POOL)[domain] is ATTACHED
    assert domain not in world.monitors.of
    assert domain not in world.links()
    world.pools.detach(POOL, domain)
    assert world.metadata(domain).pools == ()
    assert world.pools.domains(POOL) == {master: ACTIVE}
    assert not world.leases.joined[domain]


def test_each_may_be_done_again(world: World) -> None:
    world.begin()
    domain = world.make_domain()
    for work in (world.pools.attach, world.pools.activate):
        work(POOL, domain)
        work(POOL, domain)
    for _ in range(2):
        world.pools.deactivate(POOL, domain, BLANK_UUID, 0)
    world.pools.detach(POOL, domain)
    with pytest.raises(errors.StorageDomainNotMemberOfPool):
        world.pools.detach(POOL, domain)


class TestRefused:
    def refused(self, world: World, domain: str, error: type[errors.StorageError]) -> None:
        before, known = world.bytes_of(domain), dict(world.pools.domains(POOL))
        with pytest.raises(error):
            world.pools.attach(POOL, domain)
        assert world.bytes_of(domain) == before
        assert world.pools.domains(POOL) == known

    def test_a_domain_of_another_pool(self, world: World) -> None:
        world.begin()
        domain = world.make_domain(pools=(OTHER_POOL,))
        self.refused(world, domain, errors.StorageDomainAlreadyAttached)

    def test_a_domain_that_is_newer_than_the_master(self, world: World) -> None:
        master = world.make_domain(version=4)
        world.create(master)
        world.connect(master)
        assert world.start_spm() == 0
        self.refused(world, world.make_domain(), errors.MixedDomainVersions)

    def test_a_domain_whose_lock_another_holds(self, world: World) -> None:
        world.begin()
        domain = world.make_domain()
        holder = world.another().domains.find(domain).lock
        holder.acquire_host_id(2, wait=True)
        holder.acquire(2)
        self.refused(world, domain, errors.AcquireLockFailure)
        assert world.leases.joined[domain] == {2}

    def test_a_domain_that_is_not_there(self, world: World) -> None:
        world.begin()
        with pytest.raises(errors.StorageDomainDoesNotExist):
            world.pools.attach(POOL, NOBODY)

    def test_activating_and_deactivating_what_is_not_attached(self, world: World) -> None:
        world.begin()
        domain = world.make_domain()
        with pytest.raises(errors.StorageDomainNotMemberOfPool):
            world.pools.activate(POOL, domain)
        with pytest.raises(errors.StorageDomainNotMemberOfPool):
            world.pools.deactivate(POOL, domain, BLANK_UUID, 0)

    def test_detaching_the_master(self, world: World) -> None:
        master = world.begin()
        for force in (False, True):
            with pytest.raises(errors.CannotDetachMaster):
                world.pools.detach(POOL, master, force=force)
        assert world.metadata(master).pools == (POOL,)


def _attach(world: World, domain: str) -> None:
    world.pools.attach(POOL, domain)


def _detach(world: World, domain: str) -> None:
    if domain in world.pools.domains(POOL):
        world.pools.detach(POOL, domain)


@pytest.mark.parametrize(("work", "pools"), [(_attach, (POOL,)), (_detach, ())])
def test_a_kill_is_repaired_by_the_same_call(
    tmp_path: Path, work: Callable[[World, str], None], pools: tuple[str, ...]
) -> None:
    for kill_at in range(3):
        root = tmp_path / str(kill_at)
        root.mkdir()
        world = World(root)
        domain = world.make_domain()
        members = () if work is _attach else (domain,)
        master = world.begin(*members, on_disk=True)
        world.fate.changes_left = kill_at
        try:
            work(world, domain)
        except Killed:
            assert kill_at < 2
        world = world.restarted()
        world.connect(master, on_disk=True)
        assert world.start_spm() == 0
        work(world, domain)
        assert world.metadata(domain).pools == pools
        assert (domain in world.pools.domains(POOL)) == bool(pools)


@pytest.mark.parametrize("work", [_attach, _detach])
def test_a_failure_changes_nothing(tmp_path: Path, work: Callable[[World, str], None]) -> None:
    for fail_at in range(2):
        root = tmp_path / str(fail_at)
        root.mkdir()
        world = World(root)
        domain = world.make_domain()
        members = () if work is _attach else (domain,)
        master = world.begin(*members, on_disk=True)
        before = world.bytes_of(master, domain)
        world.fate.failing = fail_at
        with pytest.raises(errors.StorageError):
            work(world, domain)
        assert world.bytes_of(master, domain) == before
        work(world, domain)
        assert world.bytes_of(master, domain) != before


def test_a_domain_that_is_lost_is_taken_out_by_force(world: World) -> None:
    domain = world.make_domain()
    world.begin(domain)
    before = world.bytes_of(domain)
    world.pools.detach(POOL, domain, force=True)
    world.pools.detach(POOL, domain, force=True)
    assert domain not in world.pools.domains(POOL)
    assert world.bytes_of(domain) == before
    world.pools.detach(BLANK_UUID, domain, force=True)
    assert world.metadata(domain).pools == ()


def test_an_iso_domain_stays_in_the_other_pool(world: World) -> None:
    world.begin()
    iso = world.make_domain(domain_class=DomainClass.ISO, pools=(OTHER_POOL,), version=0)
    world.pools.attach(POOL, iso)
    assert world.metadata(iso).pools == (OTHER_POOL, POOL)
    world.pools.detach(POOL, iso)
    assert world.metadata(iso).pools == (OTHER_POOL,)


def test_a_backup_domain_gets_room_for_machines(world: World) -> None:
    world.begin()
    backup = world.make_domain(domain_class=DomainClass.BACKUP, version=0)
    world.pools.attach(POOL, backup)
    world.pools.activate(POOL, backup)
    assert (world.mount / backup / layout.VMS).is_dir()


class TestMaster:
    MACHINE = Machine("5a0b1c2d-0000-4000-8000-0000000000aa", "<ovf/>")

    def pair(self, world: World, *, on_disk: bool = False) -> tuple[str, str]:
        other = world.make_domain()
        master = world.begin(other, on_disk=on_disk)
        world.pools.activate(POOL, other)
        world.pools.update_vms(POOL, [self.MACHINE], None)
        return master, other

    @pytest.mark.parametrize("on_disk", [False, True])
    def test_its_role_moves_with_its_data(self, world: World, on_disk: bool) -> None:
        old, new = self.pair(world, on_disk=on_disk)
        task = world.pools.switch_master(POOL, old, new, 2)
        assert world.end(task) == (0, world.end(task)[1])
        assert world.metadata(new).role is Role.MASTER
        assert world.metadata(old).role is Role.REGULAR
        assert world.links()["mastersd"] == new
        assert world.pools.ovfs(POOL, None, []) == {self.MACHINE.uuid: self.MACHINE.ovf}
        assert not (world.mount / old / layout.VMS).exists()
        assert set(world.leases.owners) == {new}
        world.pools.require_spm(POOL)
        if on_disk:
            content = world.metadata(new).pool
            assert content is not None
            assert content.master_version == 2
            assert content.spm_id == 1
            assert content.domains == {old: ACTIVE, new: ACTIVE}
        world.pools.refresh(POOL, new, 2)
        task = world.tasks.start("after", lambda _task: None, pool=POOL)
        assert world.end(task)[0] == 0
        assert (world.mount / new / layout.TASKS / task).is_dir()

    def test_a_second_master_is_demoted_by_the_next_spm(self, world: World) -> None:
        old, new = self.pair(world, on_disk=True)
        before = world.bytes_of(old)[0]
        assert world.end(world.pools.switch_master(POOL, old, new, 2))[0] == 0
        (world.mount / old / layout.METADATA).write_bytes(before)  # as a kill leaves it
        world = world.restarted()
        world.connect(new, version=2, on_disk=True)
        assert world.start_spm() == 0
        deadline = time.monotonic() + PATIENCE_S
        while world.metadata(old).role is Role.MASTER:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert world.metadata(new).role is Role.MASTER

    def test_a_kill_loses_no_data_and_the_move_can_be_made_again(self, tmp_path: Path) -> None:
        for kill_at in range(14):
            root = tmp_path / str(kill_at)
            root.mkdir()
            world = World(root)
            old, new = self.pair(world, on_disk=True)
            world.fate.changes_left = kill_at
            killed = False
            try:
                world.pools._move_master(world.pools._pool(POOL), old, new, 2)
            except Killed:
                killed = True
            world = world.restarted()
            moved = world.metadata(new).role is Role.MASTER
            world.connect(*((new,) if moved else (old,)), version=2 if moved else 1, on_disk=True)
            assert world.start_spm() == 0
            if not moved:
                assert world.end(world.pools.switch_master(POOL, old, new, 2))[0] == 0
            assert world.pools.ovfs(POOL, None, []) == {self.MACHINE.uuid: self.MACHINE.ovf}
            if not killed:
                break
        assert not killed

    def test_it_is_deactivated_by_moving_its_role(self, world: World) -> None:
        old, new = self.pair(world)
        world.pools.deactivate(POOL, old, BLANK_UUID, 0)
        assert world.pools.domains(POOL)[old] is ACTIVE
        world.pools.deactivate(POOL, old, new, 2)
        assert world.pools.domains(POOL) == {old: ATTACHED, new: ACTIVE}
        world.pools.detach(POOL, old)
        assert world.metadata(old).pools == ()

    @pytest.mark.parametrize(
        ("swap", "version", "error"),
        [
            (True, 2, errors.StoragePoolWrongMaster),
            (False, 1, errors.StoragePoolWrongMaster),
        ],
    )
    def test_a_wrong_old_master_or_version(
        self, world: World, swap: bool, version: int, error: type[errors.StorageError]
    ) -> None:
        old, new = self.pair(world)
        if swap:
            old, new = new, old
        with pytest.raises(error):
            world.pools.switch_master(POOL, old, new, version)

    def test_not_to_a_domain_that_is_not_active_or_not_there(self, world: World) -> None:
        old, new = self.pair(world)
        with pytest.raises(errors.StorageDomainNotInPool):
            world.pools.switch_master(POOL, old, NOBODY, 2)
        world.pools.deactivate(POOL, new, BLANK_UUID, 0)
        with pytest.raises(errors.StorageDomainNotActive):
            world.pools.switch_master(POOL, old, new, 2)

    def test_a_failure_leaves_the_old_master(self, world: World) -> None:
        old, new = self.pair(world)
        holder = world.another().domains.find(new).lock
        holder.acquire_host_id(2, wait=True)
        holder.acquire(2)
        before = world.bytes_of(old, new)
        task = world.pools.switch_master(POOL, old, new, 2)
        assert world.end(task)[0] == errors.AcquireLockFailure.number
        assert world.bytes_of(old, new) == before
        world.pools.require_spm(POOL)
        assert world.pools.ovfs(POOL, None, []) == {self.MACHINE.uuid: self.MACHINE.ovf}
