# SPDX-License-Identifier: GPL-2.0-or-later
"""External leases: made, found, removed, and gone on with after a kill at every write."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from storage.local_files import LocalFiles
from unit.vdsm.storage.locks.daemon import FakeSanlock, SanlockException, Storage
from vdsm.storage import errors
from vdsm.storage.domain_types import DomainType
from vdsm.storage.files import Files
from vdsm.storage.formats import xleases
from vdsm.storage.formats.lease_metadata import LeaseJobStatus, LeaseMetadata
from vdsm.storage.locks.external import format_index
from vdsm.storage.locks.leases import ExternalLeases, LeaseStatus
from vdsm.storage.locks.sanlock import SanlockLock
from vdsm.storage.model import (
    ALIGNMENT,
    BLOCK_SIZE,
    DomainClass,
    DomainMetadata,
    Lease,
    Role,
)
from vdsm.storage.protocols import ClusterLock, Owner
from vdsm.storage.tasks.resources import ResourceLocks

DOMAIN = "11111111-1111-4111-8111-111111111111"
NAMES = [f"22222222-2222-4222-8222-22222222222{digit}" for digit in range(4)]
JOB = LeaseMetadata(
    "44444444-4444-4444-8444-444444444444", LeaseJobStatus.PENDING, 3, created=1_700_000_000
)
METADATA = DomainMetadata(
    uuid=DOMAIN,
    version=5,
    kind=DomainType.NFS,
    role=Role.REGULAR,
    domain_class=DomainClass.DATA,
    description="",
    remote_path="server:/export",
)


class Killed(BaseException):
    """vdsm ends here."""


class FragileFiles(LocalFiles):
    """Files whose writes end with a kill once `left` of them were made."""

    left = 1 << 30

    def write_at(self, path: str, offset: int, data: bytes, *, direct: bool = True) -> None:
        self.left -= 1
        if self.left < 0:
            raise Killed
        super().write_at(path, offset, data, direct=direct)


@dataclass
class OneDomain:
    """The domain, and the domains: there is this one."""

    path: Path
    files: Files
    lock: ClusterLock
    found: DomainMetadata = METADATA

    uuid = DOMAIN

    @property
    def mount(self) -> Path:
        return self.path.parent

    @property
    def version(self) -> int:
        return self.found.version

    @property
    def kind(self) -> DomainType:
        return self.found.kind

    def metadata(self) -> DomainMetadata:
        return self.found

    def change_metadata(self, change: Callable[[DomainMetadata], DomainMetadata]) -> DomainMetadata:
        raise NotImplementedError

    def refuse_unless_data(self) -> None:
        pass

    def find(self, uuid: str) -> "OneDomain":
        if uuid != DOMAIN:
            raise errors.StorageDomainDoesNotExist(uuid)
        return self

    def uuids(self) -> list[str]:
        return [DOMAIN]

    def forget(self, uuid: str | None = None) -> None:
        pass


@dataclass
class Site:
    domain: OneDomain
    files: FragileFiles
    daemon: FakeSanlock
    lock: SanlockLock
    leases: ExternalLeases

    @property
    def xleases(self) -> Path:
        return self.domain.path / "dom_md/xleases"

    def index(self) -> dict[str, int]:
        layout = xleases.Layout(ALIGNMENT, BLOCK_SIZE)
        data = self.xleases.read_bytes()[ALIGNMENT : ALIGNMENT + layout.index_size]
        found = dict(xleases.Index(data, layout).leases())
        assert not any(record.updating for record in found.values())
        return {record.name: record.offset for record in found.values()}

    def resources(self) -> dict[str, int]:
        return {name.decode(): at for (_, at), (name, *_) in self.daemon.storage.resources.items()}


@pytest.fixture
def site(tmp_path: Path) -> Site:
    (tmp_path / "dom_md").mkdir()
    (tmp_path / "dom_md/xleases").touch()
    files, daemon = FragileFiles(tmp_path), FakeSanlock(Storage(), "a")
    lock = SanlockLock(
        DOMAIN,
        tmp_path,
        alignment=ALIGNMENT,
        block_size=BLOCK_SIZE,
        io_timeout=1,
        binding=lambda: daemon,
    )
    domain = OneDomain(tmp_path, files, lock)
    format_index(files, METADATA)
    return Site(domain, files, daemon, lock, ExternalLeases(domain, ResourceLocks()))


def test_leases_are_made_found_and_removed(site: Site) -> None:
    for name in NAMES:
        site.leases.create(DOMAIN, name)
    places = {name: (3 + n) * ALIGNMENT for n, name in enumerate(NAMES)}
    assert site.index() == site.resources() == places
    assert site.xleases.stat().st_size == 7 * ALIGNMENT
    assert site.leases.info(DOMAIN, NAMES[1]) == Lease(
        DOMAIN, NAMES[1], str(site.xleases), 4 * ALIGNMENT
    )
    site.leases.delete(DOMAIN, NAMES[1])
    with pytest.raises(errors.NoSuchLease, match=NAMES[1]):
        site.leases.info(DOMAIN, NAMES[1])
    with pytest.raises(errors.NoSuchLease):
        site.leases.delete(DOMAIN, NAMES[1])
    del places[NAMES[1]]
    assert site.index() == site.resources() == places
    site.leases.create(DOMAIN, "33333333-2222-4222-8222-222222222222")
    assert site.index()["33333333-2222-4222-8222-222222222222"] == 4 * ALIGNMENT


def test_a_lease_is_made_once(site: Site) -> None:
    site.leases.create(DOMAIN, NAMES[0])
    with pytest.raises(errors.DomainAlreadyLocked, match=NAMES[0]):
        site.leases.create(DOMAIN, NAMES[0])


def test_who_holds_a_lease(site: Site) -> None:
    site.leases.create(DOMAIN, NAMES[0])
    assert site.leases.status(DOMAIN, NAMES[0]) == LeaseStatus(Owner(0, 0), 0, None)
    site.lock.acquire_host_id(7, wait=True)
    lease = site.leases.info(DOMAIN, NAMES[0])
    site.lock.acquire(7, lease)
    assert site.leases.status(DOMAIN, NAMES[0]) == LeaseStatus(Owner(1, 7), 1, None)
    site.lock.release(lease)
    assert site.leases.status(DOMAIN, NAMES[0]) == LeaseStatus(Owner(0, 0), 1, None)


def test_a_lease_tells_the_job_that_it_is_for(site: Site) -> None:
    site.lock.acquire_host_id(7, wait=True)
    site.leases.create(DOMAIN, NAMES[0], JOB, host_id=7)
    assert site.leases.status(DOMAIN, NAMES[0]) == LeaseStatus(Owner(0, 0), 1, JOB)
    site.lock.acquire(7, site.leases.info(DOMAIN, NAMES[0]))
    assert site.leases.status(DOMAIN, NAMES[0]) == LeaseStatus(Owner(2, 7), 2, JOB)
    site.leases.delete(DOMAIN, NAMES[0])
    site.leases.create(DOMAIN, NAMES[1])
    assert site.leases.status(DOMAIN, NAMES[1]) == LeaseStatus(Owner(0, 0), 0, None)


def test_a_pending_job_is_fenced_once(site: Site) -> None:
    site.lock.acquire_host_id(7, wait=True)
    site.leases.create(DOMAIN, NAMES[0], JOB, host_id=7)
    before = time.time()
    site.leases.fence(DOMAIN, NAMES[0], JOB, host_id=7)
    found = site.leases.status(DOMAIN, NAMES[0])
    assert found.owner == Owner(0, 0)
    assert found.metadata is not None
    assert found.metadata.modified is not None
    assert before - 1 <= found.metadata.modified <= time.time()
    fenced = replace(JOB, status=LeaseJobStatus.FENCED, generation=4)
    assert replace(found.metadata, modified=None) == fenced
    for again in (JOB, fenced):
        with pytest.raises(errors.GenerationMismatch, match="FENCED job 4444"):
            site.leases.fence(DOMAIN, NAMES[0], again, host_id=7)
    assert site.leases.status(DOMAIN, NAMES[0]).metadata == found.metadata


@pytest.mark.parametrize("change", [{"generation": 2}, {"job": DOMAIN}])
def test_another_job_is_not_fenced(site: Site, change: dict[str, object]) -> None:
    site.lock.acquire_host_id(7, wait=True)
    site.leases.create(DOMAIN, NAMES[0], JOB, host_id=7)
    with pytest.raises(errors.GenerationMismatch, match=r"PENDING job 4444.*generation 3"):
        site.leases.fence(DOMAIN, NAMES[0], replace(JOB, **change), host_id=7)  # type: ignore[arg-type]
    assert site.leases.status(DOMAIN, NAMES[0]).metadata == JOB
    assert site.daemon.blocks == {}


def test_a_lease_without_a_job_is_not_fenced(site: Site) -> None:
    site.lock.acquire_host_id(7, wait=True)
    site.leases.create(DOMAIN, NAMES[0])
    with pytest.raises(errors.GenerationMismatch, match="no job"):
        site.leases.fence(DOMAIN, NAMES[0], JOB, host_id=7)
    with pytest.raises(errors.NoSuchLease):
        site.leases.fence(DOMAIN, NAMES[1], JOB, host_id=7)


def test_a_job_that_is_under_way_is_not_fenced(site: Site, tmp_path: Path) -> None:
    site.lock.acquire_host_id(7, wait=True)
    site.leases.create(DOMAIN, NAMES[0], JOB, host_id=7)
    other = SanlockLock(
        DOMAIN,
        tmp_path,
        alignment=ALIGNMENT,
        block_size=BLOCK_SIZE,
        io_timeout=1,
        binding=lambda: FakeSanlock(site.daemon.storage, "b"),
    )
    with pytest.raises(errors.AcquireHostIdFailure):
        other.acquire(8, site.leases.info(DOMAIN, NAMES[0]))
    site.daemon.storage.resources[str(site.xleases), 3 * ALIGNMENT][2] = "b"
    with pytest.raises(errors.AcquireLockFailure, match="live host"):
        site.leases.fence(DOMAIN, NAMES[0], JOB, host_id=7)
    assert site.leases.status(DOMAIN, NAMES[0]).metadata == JOB


def test_a_lease_whose_job_cannot_be_written_is_not_found(site: Site) -> None:
    with pytest.raises(errors.AcquireHostIdFailure):
        site.leases.create(DOMAIN, NAMES[0], JOB, host_id=7)
    with pytest.raises(errors.NoSuchLease, match="being changed"):
        site.leases.info(DOMAIN, NAMES[0])
    site.lock.acquire_host_id(7, wait=True)
    site.leases.create(DOMAIN, NAMES[0], JOB, host_id=7)
    assert site.leases.status(DOMAIN, NAMES[0]).metadata == JOB


def test_a_block_that_is_no_metadata_hides_no_owner(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    site.lock.acquire_host_id(7, wait=True)
    site.leases.create(DOMAIN, NAMES[0])
    lease = site.leases.info(DOMAIN, NAMES[0])
    site.lock.change_block(7, lease, lambda _now: b"guest data")
    assert site.leases.status(DOMAIN, NAMES[0]) == LeaseStatus(Owner(0, 0), 1, None)
    assert "is not metadata of a lease" in caplog.text
    with pytest.raises(errors.MetadataError, match="guest data"):
        site.leases.fence(DOMAIN, NAMES[0], JOB, host_id=7)


def test_leases_without_room_for_metadata_have_none(site: Site) -> None:
    """Sectors of 4 KiB in slots of 1 MiB: the block would be in another lease."""
    site.domain.found = replace(METADATA, block_size=4096)
    site.lock.acquire_host_id(7, wait=True)
    with pytest.raises(errors.MetadataError, match="have no metadata"):
        site.leases.create(DOMAIN, NAMES[0], JOB, host_id=7)
    assert site.daemon.storage.resources == {}


@pytest.mark.parametrize("writes", [0, 1, 2])
def test_a_kill_while_a_lease_is_made_is_gone_on_from(site: Site, writes: int) -> None:
    site.files.left = writes
    if writes < 2:
        with pytest.raises(Killed):
            site.leases.create(DOMAIN, NAMES[0])
        site.files.left = 1 << 30
        with pytest.raises(errors.NoSuchLease):
            site.leases.info(DOMAIN, NAMES[0])
    site.leases.create(DOMAIN, NAMES[0])
    assert site.index() == site.resources() == {NAMES[0]: 3 * ALIGNMENT}


@pytest.mark.parametrize("writes", [0, 1])
def test_a_kill_while_a_lease_is_removed_is_gone_on_from(site: Site, writes: int) -> None:
    site.leases.create(DOMAIN, NAMES[0])
    site.files.left = writes
    with pytest.raises(Killed):
        site.leases.delete(DOMAIN, NAMES[0])
    site.files.left = 1 << 30
    site.leases.delete(DOMAIN, NAMES[0])
    assert site.index() == site.resources() == {}


@pytest.mark.parametrize("writes", [0, 1, 2])
def test_an_index_is_made_anew_from_the_leases(site: Site, writes: int) -> None:
    for name in NAMES:
        site.leases.create(DOMAIN, name)
    site.leases.delete(DOMAIN, NAMES[2])
    before = site.index()
    with site.xleases.open("r+b") as file:
        file.seek(ALIGNMENT)
        file.write(b"x" * 5000)
    with pytest.raises(errors.MetadataError, match="magic"):
        site.leases.info(DOMAIN, NAMES[0])
    site.files.left = writes
    with pytest.raises(Killed):
        site.leases.rebuild(DOMAIN)
    site.files.left = 1 << 30
    with pytest.raises(errors.MetadataError):
        site.leases.info(DOMAIN, NAMES[0])
    site.leases.rebuild(DOMAIN)
    assert site.index() == before


def test_a_full_domain_says_so(site: Site) -> None:
    layout = xleases.Layout(ALIGNMENT, BLOCK_SIZE)
    full = [xleases.Record(f"lease-{n}", 0) for n in range(xleases.MAX_RECORDS)]
    data = xleases.dump_index(xleases.IndexMetadata(DOMAIN, 1), full, layout)
    site.files.write_at("dom_md/xleases", ALIGNMENT, data)
    with pytest.raises(errors.NoSpaceLeft, match="4000"):
        site.leases.create(DOMAIN, NAMES[0])


def test_what_sanlock_says_is_told(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise SanlockException(110, "Sanlock resource write failure", "Connection timed out")

    monkeypatch.setattr(site.daemon, "write_resource", fail)
    with pytest.raises(errors.ClusterLockInitError, match="timed out"):
        site.leases.create(DOMAIN, NAMES[0])
    monkeypatch.undo()
    site.leases.create(DOMAIN, NAMES[0])
    assert site.index() == {NAMES[0]: 3 * ALIGNMENT}


@pytest.mark.parametrize("change", [{"version": 3}, {"kind": DomainType.LOCALFS}])
def test_not_every_domain_has_leases(site: Site, change: dict[str, object]) -> None:
    site.domain.found = replace(METADATA, **change)  # type: ignore[arg-type]
    for call in (site.leases.create, site.leases.delete, site.leases.info, site.leases.status):
        with pytest.raises(errors.UnsupportedDomainVersion, match=DOMAIN):
            call(DOMAIN, NAMES[0])


def test_a_domain_without_the_file_says_so(site: Site) -> None:
    site.xleases.unlink()
    with pytest.raises(errors.FileWriteError, match="xleases"):
        site.leases.create(DOMAIN, NAMES[0])
