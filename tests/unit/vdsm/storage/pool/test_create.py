# SPDX-License-Identifier: GPL-2.0-or-later
"""Making a pool: what is written, what is refused, and what a kill leaves."""

from dataclasses import replace
from pathlib import Path

import pytest

from unit.vdsm.storage.pool.world import ACTIVE, ATTACHED, LEASE, POOL, Killed, World
from vdsm.storage import errors
from vdsm.storage.model import DomainClass, PoolMetadata, Role

OTHER_POOL = "5a0b1c2d-0000-4000-8000-000000000002"


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_the_master_has_the_pool_and_the_others_its_uuid(world: World) -> None:
    master, other = world.make_domain(), world.make_domain()
    world.create(master, other)
    written = world.metadata(master)
    assert written.role is Role.MASTER
    assert written.pools == (POOL,)
    assert written.pool == PoolMetadata(
        description="default", domains={master: ACTIVE, other: ATTACHED}, master_version=1
    )
    assert world.metadata(other).role is Role.REGULAR
    assert world.metadata(other).pools == (POOL,)
    assert not any(world.leases.joined.values())
    assert not world.leases.owners


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"domain_class": DomainClass.ISO}, errors.IsoCannotBeMaster),
        ({"domain_class": DomainClass.BACKUP}, errors.BackupCannotBeMaster),
        ({"pools": (OTHER_POOL,)}, errors.StorageDomainAlreadyAttached),
    ],
)
def test_a_domain_that_cannot_be_master_is_refused(
    world: World, changes: dict[str, object], error: type[errors.StorageError]
) -> None:
    domain = world.make_domain(**changes)
    before = world.bytes_of(domain)
    with pytest.raises(error):
        world.create(domain)
    assert world.bytes_of(domain) == before


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"pools": (OTHER_POOL,)}, errors.StorageDomainAlreadyAttached),
        ({"version": 4}, errors.MixedDomainVersions),
    ],
)
def test_a_member_that_does_not_fit_changes_nothing(
    world: World, changes: dict[str, object], error: type[errors.StorageError]
) -> None:
    master, other = world.make_domain(), world.make_domain(**changes)
    before = world.bytes_of(master, other)
    with pytest.raises(error):
        world.create(master, other)
    assert world.bytes_of(master, other) == before


def test_a_member_that_is_not_there_changes_nothing(world: World) -> None:
    master = world.make_domain()
    before = world.bytes_of(master)
    with pytest.raises(errors.StorageDomainAccessError):
        world.create(master, OTHER_POOL)
    assert world.bytes_of(master) == before


def test_an_iso_domain_may_be_in_several_pools(world: World) -> None:
    master = world.make_domain()
    iso = world.make_domain(domain_class=DomainClass.ISO, pools=(OTHER_POOL,))
    world.create(master, iso)
    assert world.metadata(iso).pools == (OTHER_POOL, POOL)


def test_a_domain_whose_lock_is_held_puts_the_others_back(world: World) -> None:
    master, other = world.make_domain(), world.make_domain()
    before = world.bytes_of(master, other)
    holder = world.another().domains.find(other).lock
    holder.acquire_host_id(7, wait=True)
    holder.acquire(7)
    with pytest.raises(errors.AcquireLockFailure):
        world.create(master, other)
    assert world.bytes_of(master, other) == before
    assert world.leases.joined == {master: set(), other: {7}}


def test_a_kill_is_repaired_by_the_same_call(tmp_path: Path) -> None:
    for kill_at in range(4):
        root = tmp_path / str(kill_at)
        root.mkdir()
        world = World(root)
        master, others = world.make_domain(), [world.make_domain() for _ in range(2)]
        world.fate.changes_left = kill_at
        try:
            world.create(master, *others)
        except Killed:
            assert kill_at < 3
        else:
            assert kill_at == 3
        world = world.restarted()
        world.create(master, *others)
        assert all(world.metadata(one).pools == (POOL,) for one in (master, *others))
        world.connect(master, on_disk=True)
        assert world.pools.domains(POOL) == {master: ACTIVE, **dict.fromkeys(others, ATTACHED)}


def test_a_failure_changes_nothing(world: World) -> None:
    master, other = world.make_domain(), world.make_domain()
    before = world.bytes_of(master, other)
    for fail_at in range(2):
        world.fate.failing = fail_at
        with pytest.raises(errors.StorageError):
            world.create(master, other)
        assert world.bytes_of(master, other) == before


def test_a_pool_that_had_an_spm_is_not_made_again(world: World) -> None:
    master = world.begin(on_disk=True)
    world.pools.spm_stop(POOL)
    world.pools.disconnect(POOL)
    before = world.bytes_of(master)
    with pytest.raises(errors.StorageDomainAlreadyAttached):
        world.create(master)
    assert world.bytes_of(master) == before


def test_a_connected_pool_is_not_made_again(world: World) -> None:
    master = world.make_domain()
    world.create(master)
    world.connect(master)
    with pytest.raises(errors.StoragePoolConnected):
        world.create(master)


class TestReconstruct:
    def reconstruct(self, world: World, master: str, *others: str) -> None:
        world.pools.reconstruct_master(
            POOL,
            host_id=3,
            name="again",
            master=master,
            version=9,
            domains={master: ACTIVE, **dict.fromkeys(others, ATTACHED)},
            lease=replace(LEASE, retries=4),
        )

    def test_another_domain_becomes_the_master(self, world: World) -> None:
        lost, survivor = world.make_domain(), world.make_domain()
        world.create(lost, survivor)
        self.reconstruct(world, survivor, lost)
        written = world.metadata(survivor)
        assert written.role is Role.MASTER
        assert written.lease_retries == 4
        assert written.pool == PoolMetadata(
            description="again", domains={survivor: ACTIVE, lost: ATTACHED}, master_version=9
        )
        world.connect(survivor, {lost: ATTACHED}, host_id=3, version=9)

    def test_not_one_of_another_pool(self, world: World) -> None:
        other = world.make_domain(pools=(OTHER_POOL,))
        before = world.bytes_of(other)
        with pytest.raises(errors.StorageDomainAlreadyAttached):
            self.reconstruct(world, other)
        assert world.bytes_of(other) == before
        assert not world.leases.owners

    def test_not_while_connected(self, world: World) -> None:
        master = world.make_domain()
        world.create(master)
        world.connect(master)
        with pytest.raises(errors.StoragePoolConnected):
            self.reconstruct(world, master)
