# SPDX-License-Identifier: GPL-2.0-or-later
"""What a host left that was killed while a job of it made a volume: whose it is, and who removes
it. Where it was killed: tests/process/vdsm/storage/test_killed.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from storage.domain_site import DOMAIN, POOL, FakeLock
from storage.image_site import BASE, IMAGE, LEAF, ImageSite, InlineTask
from vdsm.jsonrpc.events import Events
from vdsm.storage import errors, layout
from vdsm.storage.model import MIB, Allocation, DomainStatus, Format, Lease, VolumeId
from vdsm.storage.protocols import Owner
from vdsm.storage.sdm.creating import create_volume
from vdsm.storage.sdm.job import StorageJob
from vdsm.storage.sdm.volume_work import VolumeWork
from vdsm.storage.volume.volumes import NewVolume

VOLUME = VolumeId(DOMAIN, IMAGE, LEAF)
NEW = NewVolume(MIB, Format.RAW, Allocation.SPARSE)


@pytest.fixture
def site(tmp_path: Path) -> ImageSite:
    """An image with a volume, and another one in it that was half made."""
    site = ImageSite(tmp_path)
    site.pools.pool, site.pools.members = POOL, {DOMAIN: DomainStatus.ACTIVE}
    site.chain(IMAGE, BASE)
    for path in (volatile(site), data(site), Path(f"{data(site)}.lease")):
        path.write_bytes(b"half")
    return site


def data(site: ImageSite) -> Path:
    return site.store.path(VOLUME)


def volatile(site: ImageSite) -> Path:
    return Path(f"{data(site)}{layout.VOLATILE_SUFFIX}")


def make(site: ImageSite) -> StorageJob:
    work = VolumeWork(site.domains, site.store, site.resources, site.pools)
    job = StorageJob("job", "create_volume", create_volume(work, site.store, VOLUME, NEW), Events())
    job.run()
    return job


@pytest.mark.parametrize("owner", [0, 2])
def test_what_a_dead_host_left_is_removed(
    site: ImageSite, monkeypatch: pytest.MonkeyPatch, owner: int
) -> None:
    monkeypatch.setattr(FakeLock, "inquire", lambda *_: Owner(1, owner))
    assert VOLUME.volume not in site.store.uuids(DOMAIN, IMAGE)
    assert make(site).error is None
    assert site.store.metadata(VOLUME).capacity == data(site).stat().st_size == MIB
    assert not volatile(site).exists()
    assert make(site).error is not None


def test_what_a_live_host_is_making_is_left_alone(
    site: ImageSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    def held(_lock: FakeLock, _host_id: int, lease: Lease | None = None) -> None:
        raise errors.AcquireLockFailure(f"{lease}: host 2 is alive")

    monkeypatch.setattr(FakeLock, "inquire", lambda *_: Owner(1, 2))
    monkeypatch.setattr(FakeLock, "acquire", held)
    error = make(site).error
    assert error is not None
    assert error[0] == 651
    assert volatile(site).read_bytes() == data(site).read_bytes() == b"half"


def test_one_that_is_held_while_it_is_made_is_said_to_be_garbage(
    site: ImageSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []

    def acquire(_lock: FakeLock, _host_id: int, lease: Lease | None = None) -> None:
        assert lease is not None
        seen.append(f"{lease.name}: {volatile(site).exists()} {data(site).exists()}")

    def release(_lock: FakeLock, lease: Lease | None = None) -> None:
        assert lease is not None
        seen.append(f"{lease.name}: {volatile(site).exists()} {data(site).exists()}")

    monkeypatch.setattr(FakeLock, "acquire", acquire)
    monkeypatch.setattr(FakeLock, "release", release)
    assert make(site).error is None
    assert seen == [f"{LEAF}: True False", f"{LEAF}: False True"]


def test_a_task_of_the_spm_refuses_it(site: ImageSite) -> None:
    with pytest.raises(errors.VolumeAlreadyExists):
        site.store.create(InlineTask(), VOLUME, NEW)
    assert data(site).read_bytes() == b"half"


def test_it_can_be_deleted(site: ImageSite) -> None:
    data(site).unlink()
    site.store.delete(InlineTask(), VOLUME)
    assert sorted(path.name for path in data(site).parent.iterdir()) == [
        BASE,
        f"{BASE}.lease",
        f"{BASE}.meta",
    ]
