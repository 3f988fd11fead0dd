# SPDX-License-Identifier: GPL-2.0-or-later
"""Upgrading domains from version 3 and 4, with kills in between."""

import time
from dataclasses import replace
from pathlib import Path

import pytest

from unit.vdsm.storage.pool.world import ACTIVE, FEW_HOSTS, PATIENCE_S, POOL, Killed, World
from vdsm.storage import errors, layout
from vdsm.storage.domain_types import DomainType
from vdsm.storage.formats import volume_metadata
from vdsm.storage.model import (
    BLANK_UUID,
    Allocation,
    Format,
    Legality,
    VolumeMetadata,
    VolumeType,
)
from vdsm.storage.pool.upgrade import Upgrades
from vdsm.storage.tasks.resources import ResourceLocks

IMAGE = "7a16d0b4-8a2e-4f0c-9c3f-2a0c5f1b9e0"
VOLUME = "7a16d0b4-8a2e-4f0c-9c3f-2a0c5f1b9f0"


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def add_volume(world: World, domain: str, number: int = 0) -> Path:
    """A volume as version 4 keeps it; its `.meta`."""
    image, volume = f"{IMAGE}{number}", f"{VOLUME}{number}"
    metadata = VolumeMetadata(
        capacity=(number + 1) << 20,
        ctime=1550522547,
        description="x",
        disk_type="DATA",
        domain=domain,
        format=Format.RAW,
        image=image,
        legality=Legality.LEGAL,
        parent=BLANK_UUID,
        allocation=Allocation.SPARSE,
        volume_type=VolumeType.LEAF,
    )
    path = world.mount / domain / layout.volume_meta(image, volume)
    path.parent.mkdir()
    path.write_bytes(volume_metadata.encode(metadata, 4))
    return path


def upgrades(world: World) -> Upgrades:
    return Upgrades(
        world.domains,
        ResourceLocks(),
        lambda files, _metadata: world.formatted.append(files.root.name),
    )


def test_from_4_to_5_the_sizes_are_in_bytes(world: World) -> None:
    domain = world.make_domain(version=4)
    path = add_volume(world, domain)
    before = volume_metadata.decode(path.read_bytes(), "before")
    assert b"SIZE=2048\n" in path.read_bytes()
    upgrades(world).convert(world.domains.find(domain), 5)
    assert world.metadata(domain).version == 5
    assert path.read_bytes() == volume_metadata.encode(before, 5)
    assert b"CAP=1048576\n" in path.read_bytes()
    assert b"ALIGNMENT=1048576" in world.bytes_of(domain)[0]
    assert world.formatted == []


def test_from_3_there_is_a_file_of_leases(world: World) -> None:
    domain = world.make_domain(version=3)
    upgrades(world).convert(world.domains.find(domain), 5)
    assert world.formatted == [domain]
    assert (world.mount / domain / layout.XLEASES).exists()
    local = world.make_domain(DomainType.LOCALFS, version=3)
    upgrades(world).convert(world.domains.find(local), 4)
    assert world.metadata(local).version == 4
    assert world.formatted == [domain]


def test_a_kill_leaves_what_every_reader_knows_and_is_repaired(tmp_path: Path) -> None:
    for kill_at in range(6):
        root = tmp_path / str(kill_at)
        root.mkdir()
        world = World(root)
        domain = world.make_domain(version=4)
        paths = [add_volume(world, domain, number) for number in range(2)]
        world.fate.changes_left = kill_at
        try:
            upgrades(world).convert(world.domains.find(domain), 5)
        except Killed:
            assert kill_at < 5
        if world.metadata(domain).version == 4:
            assert all(b"SIZE=" in path.read_bytes() for path in paths)
        else:
            assert all(b"CAP=" in path.read_bytes() for path in paths)
        world = world.restarted()
        upgrades(world).convert(world.domains.find(domain), 5)
        assert world.metadata(domain).version == 5
        found = [volume_metadata.decode(path.read_bytes(), "after") for path in paths]
        assert [one.capacity for one in found] == [1 << 20, 2 << 20]


def test_a_volume_that_cannot_be_read_keeps_the_domain_as_it_is(world: World) -> None:
    domain = world.make_domain(version=4)
    path = add_volume(world, domain)
    path.write_bytes(b"torn")
    with pytest.raises(errors.VolumeMetadataReadError):
        upgrades(world).convert(world.domains.find(domain), 5)
    assert world.metadata(domain).version == 4


@pytest.mark.parametrize(
    ("found", "wanted", "error"),
    [
        (5, 4, errors.DomainVersionTooAdvanced),
        (0, 5, errors.UnsupportedDomainVersion),
        (2, 3, errors.UnsupportedDomainVersion),
    ],
)
def test_what_cannot_be_converted_is_refused(
    world: World, found: int, wanted: int, error: type[errors.StorageError]
) -> None:
    domain = world.make_domain(version=found)
    before = world.bytes_of(domain)
    with pytest.raises(error):
        upgrades(world).convert(world.domains.find(domain), wanted)
    assert world.bytes_of(domain) == before


def test_the_spm_that_starts_upgrades_the_pool(world: World) -> None:
    master, other = world.make_domain(version=4), world.make_domain(version=4)
    world.create(master, other)
    world.connect(master, {other: ACTIVE})
    assert world.start_spm(replace(FEW_HOSTS, version=5)) == 0
    assert world.metadata(master).version == 5
    wait_for_version(world, other, 5)


def wait_for_version(world: World, domain: str, version: int) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while world.metadata(domain).version != version:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_pool_is_upgraded_master_first(world: World) -> None:
    master, other, inactive = (world.make_domain(version=4) for _ in range(3))
    world.create(master, other, inactive)
    world.connect(master)
    assert world.start_spm(FEW_HOSTS) == 0
    for domain in (other, inactive):
        world.pools.attach(POOL, domain)
    world.pools.activate(POOL, other)
    world.pools.upgrade(POOL, 5)
    assert world.metadata(master).version == 5
    wait_for_version(world, other, 5)
    assert world.metadata(inactive).version == 4
    world.pools.activate(POOL, inactive)
    assert world.metadata(inactive).version == 5
