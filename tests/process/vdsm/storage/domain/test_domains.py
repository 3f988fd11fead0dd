# SPDX-License-Identifier: GPL-2.0-or-later
"""The life of a storage domain on real mounts, by real workers, and what a bad mount does to it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from process.vdsm.storage.domain.mounted_site import MountedSite
from storage.domain_site import DOMAIN, OTHER, POOL
from vdsm.storage import errors, side_by_side
from vdsm.storage.domain import describe, dump
from vdsm.storage.errors import StorageError


def test_a_domain_is_made_found_changed_described_and_wiped(site: MountedSite) -> None:
    mount = site.small()
    site.lifecycle.create(site.new(name="düsseldorf"))
    domain = site.domains.find(DOMAIN)
    domain.change_metadata(lambda found: replace(found, pools=(POOL,)))
    info = describe.info(domain)
    assert (info["name"], info["pool"], info["remotePath"]) == ("düsseldorf", [POOL], "/data")
    assert describe.stats(domain)["disktotal"] == str(1 << 20)
    assert dump.volumes(domain) == {}
    assert site.domains.uuids() == [DOMAIN]
    site.lifecycle.format(DOMAIN, auto_detach=True)
    assert not list(mount.iterdir())


def test_a_full_mount_takes_no_domain_and_keeps_nothing_of_it(site: MountedSite) -> None:
    mount = site.small()
    filler = site.fill(mount)
    with pytest.raises(errors.NoSpaceLeft):
        site.lifecycle.create(site.new())
    assert list(mount.iterdir()) == [filler]
    filler.unlink()
    site.lifecycle.create(site.new())


def test_a_full_mount_keeps_the_metadata_as_it_was(site: MountedSite) -> None:
    mount = site.small()
    site.lifecycle.create(site.new())
    domain = site.domains.find(DOMAIN)
    site.fill(mount)
    metadata = mount / DOMAIN / "dom_md/metadata"
    before = metadata.read_bytes()
    with pytest.raises(errors.NoSpaceLeft, match=str(metadata)):
        domain.change_metadata(lambda found: replace(found, pools=(POOL,)))
    assert metadata.read_bytes() == before
    assert domain.metadata().pools == ()
    assert sorted(path.name for path in metadata.parent.iterdir()) == [
        *("ids", "inbox", "leases", "metadata", "outbox")
    ]


def test_a_read_only_mount_is_read_and_nothing_else(site: MountedSite) -> None:
    mount = site.small()
    site.lifecycle.create(site.new())
    site.read_only(mount)
    domain = site.domains.find(DOMAIN)
    assert domain.metadata().uuid == DOMAIN
    with pytest.raises(errors.InsufficientPermissions, match="Read-only"):
        domain.change_metadata(lambda found: replace(found, pools=(POOL,)))
    with pytest.raises(errors.StorageDomainFormatError, match="Read-only"):
        site.lifecycle.format(DOMAIN, auto_detach=False)
    assert domain.metadata().pools == ()


def test_a_read_only_mount_takes_no_domain(site: MountedSite) -> None:
    mount = site.small()
    site.read_only(mount)
    with pytest.raises(errors.InsufficientPermissions, match="Read-only"):
        site.lifecycle.create(site.new())
    assert not list(mount.iterdir())


def test_of_domains_made_at_once_on_one_mount_one_is_made(site: MountedSite) -> None:
    mount = site.small()

    def create(uuid: str) -> int:
        try:
            site.lifecycle.create(site.new(uuid=uuid))
        except StorageError as error:
            return error.number
        return 0

    numbers = side_by_side.each(create, [DOMAIN, DOMAIN, OTHER, OTHER], 4)
    assert numbers.count(0) == 1
    assert {0, 361, 365} >= set(numbers)
    assert [path.name for path in mount.iterdir()] == site.domains.uuids()


def test_many_at_once_see_one_domain_and_lose_no_change(site: MountedSite) -> None:
    site.small()
    site.small("/other")
    site.lifecycle.create(site.new())
    pools = [f"{number:08x}-626e-47cb-ad90-3ce782d831b3" for number in range(12)]

    def add(pool: str) -> None:
        site.domains.find(DOMAIN).change_metadata(
            lambda found: replace(found, pools=(*found.pools, pool))
        )

    side_by_side.each(add, pools, 4)
    assert sorted(site.domains.find(DOMAIN).metadata().pools) == pools
