# SPDX-License-Identifier: GPL-2.0-or-later
"""Connecting to a pool: what is linked and watched, and what is refused with nothing changed."""

from pathlib import Path

import pytest

from unit.vdsm.storage.pool.world import ACTIVE, ATTACHED, POOL, World
from vdsm.storage import errors, layout
from vdsm.storage.formats.mailbox import EMPTY_MAILBOX, MAILBOX_SIZE
from vdsm.storage.model import DomainStatus, SpmStatus

OTHER_POOL = "5a0b1c2d-0000-4000-8000-000000000002"
NOBODY = "5a0b1c2d-0000-4000-8000-00000000000f"


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_a_connected_pool_links_and_watches_its_active_domains(world: World) -> None:
    master, active, inactive = (world.make_domain() for _ in range(3))
    world.create(master, active, inactive)
    world.connect(master, {active: ACTIVE, inactive: ATTACHED})
    assert world.links() == {master: master, "mastersd": master, active: active}
    assert world.monitors.of == {master: 1, active: 1}
    assert world.pools.connected() == POOL
    assert world.pools.spm_status(POOL) is SpmStatus.FREE
    assert world.pools.host_id(POOL) == 1


def test_the_disk_knows_the_domains_when_the_engine_does_not_say(world: World) -> None:
    master, other = world.make_domain(), world.make_domain()
    world.create(master, other)
    world.connect(master, on_disk=True)
    assert world.pools.domains(POOL) == {master: ACTIVE, other: ATTACHED}


def test_an_active_domain_that_is_not_there_does_not_keep_a_host_from_connecting(
    world: World,
) -> None:
    master = world.make_domain()
    world.create(master)
    world.connect(master, {NOBODY: ACTIVE})
    assert world.links() == {master: master, "mastersd": master}
    assert set(world.monitors.of) == {master, NOBODY}


def test_disconnecting_leaves_no_links_and_nothing_watched(world: World) -> None:
    master = world.make_domain()
    world.create(master)
    world.connect(master)
    world.pools.disconnect(POOL)
    world.pools.disconnect(POOL)
    assert not world.links()
    assert not world.monitors.of
    with pytest.raises(errors.StoragePoolUnknown):
        world.pools.require(POOL)


def test_links_of_a_former_life_are_removed(world: World) -> None:
    master = world.make_domain()
    world.create(master)
    old = world.data_center / OTHER_POOL
    old.mkdir()
    (old / NOBODY).symlink_to("/rhev/data-center/mnt/dead/of-old")
    (world.data_center / POOL).mkdir()
    (world.data_center / POOL / NOBODY).symlink_to("/rhev/data-center/mnt/dead/of-old")
    (world.data_center / "mnt").mkdir()
    world.connect(master)
    assert world.links() == {master: master, "mastersd": master}
    assert sorted(path.name for path in world.data_center.iterdir()) == sorted([POOL, "mnt"])


def test_what_this_host_asked_for_in_a_former_life_is_not_asked_any_more(world: World) -> None:
    master = world.make_domain()
    inbox = world.mount / master / layout.INBOX
    inbox.write_bytes(b"1" * 4 * MAILBOX_SIZE)
    world.create(master)
    world.connect(master, host_id=2)
    assert inbox.read_bytes() == b"1" * 2 * MAILBOX_SIZE + EMPTY_MAILBOX + b"1" * MAILBOX_SIZE


def test_a_domain_that_died_is_not_waited_for_when_another_comes(world: World) -> None:
    dying, other = world.make_domain(), world.make_domain()
    world.begin(dying)
    world.pools.activate(POOL, dying)
    (world.mount / dying).rename(world.root / "gone")
    world.pools.attach(POOL, other)
    world.pools.activate(POOL, other)
    assert {dying, other} <= set(world.links())


class TestRefused:
    def test_another_pool(self, world: World) -> None:
        master, other = world.make_domain(), world.make_domain()
        world.create(master)
        world.create(other, pool=OTHER_POOL)
        world.connect(master)
        with pytest.raises(errors.CannotConnectMultiplePools):
            world.connect(other, pool=OTHER_POOL)
        assert world.pools.connected() == POOL

    def test_a_master_that_is_not_there(self, world: World) -> None:
        with pytest.raises(errors.StoragePoolMasterNotFound) as caught:
            world.connect(NOBODY)
        assert caught.value.number == 304

    def test_a_domain_that_is_no_master(self, world: World) -> None:
        with pytest.raises(errors.StoragePoolWrongMaster):
            world.connect(world.make_domain())

    def test_the_master_of_another_pool(self, world: World) -> None:
        other = world.make_domain()
        world.create(other, pool=OTHER_POOL)
        with pytest.raises(errors.StoragePoolWrongMaster):
            world.connect(other)
        assert not world.links()
        assert world.pools.connected() is None

    def test_another_version_of_the_master_than_on_the_disk(self, world: World) -> None:
        master = world.make_domain()
        world.create(master)
        with pytest.raises(errors.StoragePoolWrongMaster):
            world.connect(master, version=2, on_disk=True)

    @pytest.mark.parametrize("status", [DomainStatus.ATTACHED, DomainStatus.UNKNOWN])
    def test_a_master_that_is_not_active(self, world: World, status: DomainStatus) -> None:
        master = world.make_domain()
        world.create(master)
        with pytest.raises(errors.StoragePoolWrongMaster):
            world.connect(master, {master: status})

    def test_another_host_id_while_connected(self, world: World) -> None:
        master = world.make_domain()
        world.create(master)
        world.connect(master)
        with pytest.raises(errors.StoragePoolConnected):
            world.connect(master, host_id=2)
        assert world.pools.host_id(POOL) == 1

    def test_metadata_on_the_disk_after_the_engines(self, world: World) -> None:
        master = world.make_domain()
        world.create(master)
        world.connect(master)
        with pytest.raises(errors.StoragePoolConnected):
            world.connect(master, on_disk=True)


class TestAgain:
    def test_the_engine_tells_of_other_domains(self, world: World) -> None:
        master, other = world.make_domain(), world.make_domain()
        world.create(master, other)
        world.connect(master)
        world.connect(master, {other: ACTIVE})
        assert set(world.monitors.of) == {master, other}
        assert other in world.links()
        world.connect(master, {other: ATTACHED})
        assert set(world.monitors.of) == {master}
        assert other not in world.links()

    def test_a_wrong_master_leaves_the_connection_as_it_was(self, world: World) -> None:
        master, other = world.make_domain(), world.make_domain()
        world.create(master)
        world.connect(master, {other: ATTACHED})
        with pytest.raises(errors.StoragePoolWrongMaster):
            world.connect(other, {master: ACTIVE})
        assert world.pools.domains(POOL) == {master: ACTIVE, other: ATTACHED}
        assert world.links() == {master: master, "mastersd": master}

    def test_refresh_takes_a_master_of_the_version_that_is_known(self, world: World) -> None:
        master = world.make_domain()
        world.create(master)
        world.connect(master)
        world.pools.refresh(POOL, master, 1)
        with pytest.raises(errors.StoragePoolWrongMaster):
            world.pools.refresh(POOL, master, 2)
        with pytest.raises(errors.StoragePoolUnknown):
            world.pools.refresh(OTHER_POOL, master, 1)

    def test_from_the_disk_to_the_engine(self, world: World) -> None:
        master = world.make_domain()
        world.create(master)
        world.connect(master, on_disk=True)
        world.connect(master, {NOBODY: ATTACHED})
        assert world.pools.domains(POOL) == {master: ACTIVE, NOBODY: ATTACHED}


def test_info_describes_the_pool_and_its_domains(world: World) -> None:
    other = world.make_domain()
    master = world.begin(other)
    described = world.pools.info(POOL)
    assert isinstance(described, dict)
    info, domains = described["info"], described["dominfo"]
    assert isinstance(info, dict)
    assert isinstance(domains, dict)
    assert info["master_uuid"] == master
    assert info["type"] == "NFS"
    assert info["version"] == "5"
    assert info["spm_id"] == 1
    assert set(str(info["domains"]).split(",")) == {f"{master}:Active", f"{other}:Attached"}
    mastered, attached = domains[master], domains[other]
    assert isinstance(mastered, dict)
    assert isinstance(attached, dict)
    assert int(str(mastered["disktotal"])) >= int(str(mastered["diskfree"])) > 0
    assert attached["disktotal"] == ""
