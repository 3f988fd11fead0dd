# SPDX-License-Identifier: GPL-2.0-or-later
"""Host ids and leases of a shared domain, as two hosts see them."""

import logging
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from unit.vdsm.storage.locks.daemon import FakeSanlock, Storage
from vdsm.storage import errors
from vdsm.storage.locks import sanlock as locking
from vdsm.storage.locks.binding import SanlockError, load
from vdsm.storage.locks.sanlock import SanlockLock
from vdsm.storage.model import ALIGNMENT, BLOCK_SIZE, Lease
from vdsm.storage.protocols import ClusterLock, Owner
from vdsm_contract import flow

DOMAIN = "11111111-1111-4111-8111-111111111111"
VOLUME = "22222222-2222-4222-8222-222222222222"


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locking, "_PAUSE_S", 0.001)


class Site:
    """A domain, and hosts that share it."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / DOMAIN
        (self.path / "dom_md").mkdir(parents=True)
        for name in ("ids", "leases"):
            (self.path / "dom_md" / name).touch()
        (self.path / "volume.lease").touch()
        self.storage = Storage()

    def host(
        self, name: str, lost: Callable[[], None] = lambda: None
    ) -> tuple[SanlockLock, FakeSanlock]:
        daemon = FakeSanlock(self.storage, name)
        lock = SanlockLock(
            DOMAIN,
            self.path,
            alignment=ALIGNMENT,
            block_size=BLOCK_SIZE,
            io_timeout=3,
            binding=lambda: daemon,
            lost=lost,
        )
        return lock, daemon

    @property
    def volume(self) -> Lease:
        return Lease(DOMAIN, VOLUME, str(self.path / "volume.lease"), 0)


class Flows(logging.Filter):
    """Notes the flow of each line, by its text."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: dict[str, str] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        self.seen[record.getMessage()] = flow.current()
        return True


@pytest.fixture
def site(tmp_path: Path) -> Site:
    site = Site(tmp_path)
    site.host("first")[0].init()
    return site


def test_it_is_the_protocol_s(site: Site) -> None:
    lock: ClusterLock = site.host("a")[0]
    assert lock.supports_volume_leases


def test_the_spm_s_resource_is_one_alignment_into_leases(site: Site) -> None:
    assert site.storage.resources == {
        (str(site.path / "dom_md/leases"), ALIGNMENT): [b"SDM", 0, None]
    }
    lock, daemon = site.host("a")
    lock.init()
    assert daemon.added == [{"iotimeout": 3, "align": ALIGNMENT, "sector": BLOCK_SIZE}]


def test_one_host_gets_the_lease_and_the_other_after_it(site: Site) -> None:
    (a, _), (b, _) = site.host("a"), site.host("b")
    a.acquire_host_id(1, wait=True)
    b.acquire_host_id(2, wait=True)
    a.acquire(1)
    assert b.inquire() == Owner(1, 1)
    with pytest.raises(errors.AcquireLockFailure, match="lease SDM of domain"):
        b.acquire(2)
    a.release()
    assert b.inquire() == Owner(0, 0)
    b.acquire(2)
    assert a.inquire() == Owner(2, 2)


def test_a_host_id_is_one_host_s(site: Site) -> None:
    (a, _), (b, _) = site.host("a"), site.host("b")
    a.acquire_host_id(1, wait=True)
    with pytest.raises(errors.AcquireHostIdFailure, match="another host has this host id"):
        b.acquire_host_id(1, wait=True)
    b.acquire_host_id(1, wait=False)
    assert a.has_host_id(1)
    assert not b.has_host_id(1)
    with pytest.raises(errors.AcquireHostIdFailure, match="is not acquired"):
        b.acquire(1)


def test_a_host_has_one_host_id(site: Site) -> None:
    a, _ = site.host("a")
    a.acquire_host_id(1, wait=True)
    a.acquire_host_id(1, wait=True)
    with pytest.raises(errors.AcquireHostIdFailure, match="host id 2"):
        a.acquire_host_id(2, wait=True)


@pytest.mark.parametrize("host_id", [-1, 0, 2001, 1 << 40])
def test_a_host_id_that_cannot_be_is_refused(site: Site, host_id: int) -> None:
    a, daemon = site.host("a")
    with pytest.raises(errors.AcquireHostIdFailure, match="from 1 to 2000"):
        a.acquire_host_id(host_id, wait=True)
    assert daemon.joined == {}


def test_a_host_id_on_its_way_is_waited_for(site: Site) -> None:
    a, daemon = site.host("a")
    daemon.joined[DOMAIN.encode()] = (1, str(site.path / "dom_md/ids"))
    daemon.pending[DOMAIN.encode()] = None
    a.acquire(1)
    assert daemon.inquiries >= 3


def test_a_host_id_that_is_just_being_released_is_acquired_anew(site: Site) -> None:
    a, daemon = site.host("a")
    a.acquire_host_id(1, wait=True)
    a.release_host_id(1, wait=False)
    assert not a.has_host_id(1)
    a.acquire_host_id(1, wait=True)
    assert daemon.joined[DOMAIN.encode()][0] == 1


def test_a_host_id_is_not_released_under_a_lease(site: Site) -> None:
    """sanlock would kill vdsm."""
    a, _ = site.host("a")
    a.acquire_host_id(1, wait=True)
    a.acquire(1)
    with pytest.raises(errors.ReleaseHostIdFailure, match="leases are held: SDM"):
        a.release_host_id(1, wait=True)
    a.release()
    a.release_host_id(1, wait=True)
    assert not a.has_host_id(1)
    a.release_host_id(1, wait=True)


def test_a_lease_that_is_not_held_is_not_released(site: Site) -> None:
    a, _ = site.host("a")
    with pytest.raises(errors.ReleaseLockFailure, match="not held"):
        a.release()


def test_volumes_have_leases_of_their_own(site: Site) -> None:
    (a, _), (b, _) = site.host("a"), site.host("b")
    a.create_lease(site.volume)
    a.acquire_host_id(1, wait=True)
    b.acquire_host_id(2, wait=True)
    a.acquire(1, site.volume)
    a.acquire(1)
    assert a.inquire(site.volume) == Owner(1, 1)
    with pytest.raises(errors.AcquireLockFailure, match=VOLUME):
        b.acquire(2, site.volume)
    a.release(site.volume)
    b.acquire(2, site.volume)


def test_a_lease_is_held_once_in_this_process(site: Site) -> None:
    a, _ = site.host("a")
    a.acquire_host_id(1, wait=True)
    a.acquire(1)
    with pytest.raises(errors.AcquireLockFailure):
        a.acquire(1)


def test_what_is_not_there_cannot_be_inquired(site: Site) -> None:
    a, _ = site.host("a")
    with pytest.raises(errors.StorageError, match="does not exist"):
        a.inquire(site.volume)
    a.create_lease(Lease(DOMAIN, "other", site.volume.path, 0))
    with pytest.raises(errors.StorageError, match="it is other's"):
        a.inquire(site.volume)


def test_a_domain_without_its_files_has_no_lock(site: Site) -> None:
    (site.path / "dom_md/ids").unlink()
    with pytest.raises(errors.ClusterLockInitError, match=DOMAIN):
        site.host("a")[0].init()
    Path(site.volume.path).unlink()
    with pytest.raises(errors.ClusterLockInitError, match=VOLUME):
        site.host("a")[0].create_lease(site.volume)


def test_vdsm_ends_when_sanlock_ends_under_its_lease(site: Site) -> None:
    ended = threading.Event()
    a, daemon = site.host("a", ended.set)
    a.acquire_host_id(1, wait=True)
    a.acquire(1)
    daemon.die()
    assert ended.wait(20)


def test_the_end_of_sanlock_is_told_in_the_flows_that_took_the_leases(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    ended, flows = threading.Event(), Flows()
    a, daemon = site.host("a", ended.set)
    a.acquire_host_id(1, wait=True)
    for flow_id, lease in (("spm-start", None), ("measure", site.volume)):
        with flow.bound(flow_id):
            if lease:
                a.create_lease(lease)
            a.acquire(1, lease)
    a.release(site.volume)
    with flow.bound("copy"):
        a.acquire(1, site.volume)
    with caplog.filtering(flows):
        daemon.die()
        assert ended.wait(20)
    assert flows.seen == {
        f"sanlock ended, and with it the lease {name} of this vdsm": flow_id
        for name, flow_id in (("SDM", "spm-start"), (VOLUME, "copy"))
    }


def test_vdsm_goes_on_when_sanlock_is_restarted_without_leases(site: Site) -> None:
    ended = threading.Event()
    a, daemon = site.host("a", ended.set)
    a.acquire_host_id(1, wait=True)
    a.acquire(1)
    a.release()
    daemon.die()
    a.acquire(1)
    a.release()
    assert len(daemon.connections) >= 1
    assert not ended.is_set()


def test_a_host_without_sanlock_s_library_says_so(site: Site) -> None:
    lock = SanlockLock(
        DOMAIN, site.path, alignment=ALIGNMENT, block_size=BLOCK_SIZE, io_timeout=1, binding=load
    )
    try:
        load()
    except SanlockError:
        with pytest.raises(errors.AcquireHostIdFailure, match="library is not here"):
            lock.acquire_host_id(1, wait=True)
        assert not lock.has_host_id(1)
