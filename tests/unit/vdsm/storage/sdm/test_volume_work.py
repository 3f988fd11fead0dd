# SPDX-License-Identifier: GPL-2.0-or-later
"""Locks, leases and generations around the change of a volume's data."""

from __future__ import annotations

from pathlib import Path

import pytest

from storage.domain_site import DOMAIN, POOL, FakeLock
from storage.image_site import BASE, IMAGE, LEAF, OTHER_IMAGE, ImageSite
from vdsm.storage import errors
from vdsm.storage.model import DomainStatus, Lease, Legality, VolumeId
from vdsm.storage.protocols import Resource
from vdsm.storage.sdm.volume_work import VolumeWork

SOURCE, TARGET = VolumeId(DOMAIN, OTHER_IMAGE, BASE), VolumeId(DOMAIN, IMAGE, LEAF)


@pytest.fixture
def site(tmp_path: Path) -> ImageSite:
    site = ImageSite(tmp_path)
    site.pools.pool, site.pools.members = POOL, {DOMAIN: DomainStatus.ACTIVE}
    site.chain(OTHER_IMAGE, BASE)
    site.chain(IMAGE, LEAF)
    return site


@pytest.fixture
def leases(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was taken and given back, in this order."""
    seen: list[str] = []

    def acquire(_self: FakeLock, host_id: int, lease: Lease | None = None) -> None:
        assert lease is not None
        seen.append(f"{host_id} has {lease.name}")

    def release(_self: FakeLock, lease: Lease | None = None) -> None:
        assert lease is not None
        seen.append(f"free {lease.name}")

    monkeypatch.setattr(FakeLock, "acquire", acquire)
    monkeypatch.setattr(FakeLock, "release", release)
    return seen


@pytest.fixture
def work(site: ImageSite) -> VolumeWork:
    return VolumeWork(site.domains, site.store, site.resources, site.pools)


def test_what_is_written_is_held_alone_with_its_lease(
    site: ImageSite, work: VolumeWork, leases: list[str]
) -> None:
    with work.holding(reads=[SOURCE], writes=[TARGET]):
        assert leases == [f"1 has {LEAF}"]
        with site.resources.holding(Resource.image(DOMAIN, OTHER_IMAGE, exclusive=False)):
            pass
        with (
            pytest.raises(errors.ResourceTimeout),
            site.resources.holding(Resource.image(DOMAIN, IMAGE, exclusive=False), timeout=0.01),
        ):
            pass
    assert leases == [f"1 has {LEAF}", f"free {LEAF}"]


def test_a_lease_of_another_host_keeps_it_off(
    site: ImageSite, work: VolumeWork, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_self: FakeLock, _host_id: int, lease: Lease | None = None) -> None:
        raise errors.AcquireLockFailure(str(lease))

    monkeypatch.setattr(FakeLock, "acquire", refuse)
    with pytest.raises(errors.AcquireLockFailure), work.holding(writes=[TARGET]):
        raise AssertionError
    with site.resources.holding(Resource.image(DOMAIN, IMAGE), timeout=0.01):
        pass


def test_a_lease_that_is_not_given_back_does_not_undo_what_was_done(
    work: VolumeWork, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_self: FakeLock, lease: Lease | None = None) -> None:
        raise errors.ReleaseLockFailure(str(lease))

    monkeypatch.setattr(FakeLock, "release", refuse)
    with work.holding(writes=[TARGET]):
        pass


def test_without_leases_no_pool_is_asked(
    site: ImageSite, work: VolumeWork, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.pools.pool = None
    with pytest.raises(errors.StoragePoolNotConnected), work.holding(writes=[TARGET]):
        raise AssertionError
    monkeypatch.setattr(FakeLock, "supports_volume_leases", False)
    with work.holding(writes=[TARGET]):
        pass


def test_a_volume_is_illegal_until_its_data_is_there(site: ImageSite, work: VolumeWork) -> None:
    with work.operation(TARGET, 0, illegal=True):
        assert site.store.metadata(TARGET).legality is Legality.ILLEGAL
        assert site.store.metadata(TARGET).generation == 0
    after = site.store.metadata(TARGET)
    assert (after.legality, after.generation) == (Legality.LEGAL, 1)


def test_a_failure_leaves_it_illegal_with_its_generation(site: ImageSite, work: VolumeWork) -> None:
    with pytest.raises(ZeroDivisionError), work.operation(TARGET, None, illegal=True):
        raise ZeroDivisionError
    after = site.store.metadata(TARGET)
    assert (after.legality, after.generation) == (Legality.ILLEGAL, 0)


def test_another_generation_changes_nothing(site: ImageSite, work: VolumeWork) -> None:
    before = site.store.metadata(TARGET)
    with pytest.raises(errors.GenerationMismatch), work.operation(TARGET, 5, illegal=True):
        raise AssertionError
    assert site.store.metadata(TARGET) == before


def test_a_change_that_does_not_touch_the_data_leaves_it_legal(
    site: ImageSite, work: VolumeWork
) -> None:
    with work.operation(TARGET, None, illegal=False):
        assert site.store.metadata(TARGET).legality is Legality.LEGAL
    assert site.store.metadata(TARGET).generation == 1
