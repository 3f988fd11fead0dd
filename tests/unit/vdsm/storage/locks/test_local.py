# SPDX-License-Identifier: GPL-2.0-or-later
"""The locks of localfs domains and of old ones, and who gets which."""

from pathlib import Path

import pytest

from vdsm.storage import errors
from vdsm.storage.domain_types import DomainType
from vdsm.storage.locks import ClusterLocks
from vdsm.storage.locks.local import LocalLock
from vdsm.storage.locks.none import NoLock
from vdsm.storage.locks.sanlock import SanlockLock
from vdsm.storage.model import Lease
from vdsm.storage.protocols import ClusterLock, Owner

DOMAIN = "11111111-1111-4111-8111-111111111111"


@pytest.fixture
def lock(tmp_path: Path) -> LocalLock:
    (tmp_path / "dom_md").mkdir()
    (tmp_path / "dom_md/ids").touch()
    return LocalLock(DOMAIN, tmp_path)


def test_host_ids_are_remembered(lock: LocalLock) -> None:
    assert not lock.has_host_id(1)
    lock.acquire_host_id(1, wait=False)
    lock.acquire_host_id(1, wait=True)
    assert lock.has_host_id(1)
    with pytest.raises(errors.AcquireHostIdFailure):
        lock.acquire_host_id(2, wait=True)
    with pytest.raises(errors.ReleaseHostIdFailure):
        lock.release_host_id(2, wait=True)
    lock.release_host_id(1, wait=True)
    lock.release_host_id(1, wait=True)
    lock.acquire_host_id(2, wait=True)


def test_the_lock_is_one_process_s(lock: LocalLock, tmp_path: Path) -> None:
    with pytest.raises(errors.AcquireHostIdFailure):
        lock.acquire(1)
    lock.acquire_host_id(1, wait=True)
    assert lock.inquire() == Owner(0, 0)
    lock.acquire(1)
    lock.acquire(1)
    assert lock.inquire() == Owner(0, 1)
    other = LocalLock(DOMAIN, tmp_path)
    other.acquire_host_id(1, wait=True)
    with pytest.raises(errors.AcquireLockFailure, match="another process"):
        other.acquire(1)
    with pytest.raises(errors.ReleaseHostIdFailure):
        lock.release_host_id(1, wait=True)
    lock.release()
    lock.release()
    other.acquire(1)
    other.release()


def test_a_link_for_the_file_is_not_followed(lock: LocalLock, tmp_path: Path) -> None:
    lock.acquire_host_id(1, wait=True)
    (tmp_path / "dom_md/ids").unlink()
    with pytest.raises(errors.AcquireLockFailure, match=DOMAIN):
        lock.acquire(1)
    (tmp_path / "dom_md/ids").symlink_to("/etc/passwd")
    with pytest.raises(errors.AcquireLockFailure, match=DOMAIN):
        lock.acquire(1)


def test_old_domains_are_read_and_never_locked() -> None:
    lock: ClusterLock = NoLock(DOMAIN, 0)
    lease = Lease(DOMAIN, "v", "/x", 0)
    lock.acquire_host_id(7, wait=True)
    assert lock.has_host_id(9)
    lock.release_host_id(7, wait=True)
    with pytest.raises(errors.AcquireLockFailure, match="safelease"):
        lock.acquire(7)
    with pytest.raises(errors.ReleaseLockFailure):
        lock.release()
    with pytest.raises(errors.InquireNotSupported):
        lock.inquire()
    for make in (lock.init, lambda: lock.create_lease(lease)):
        with pytest.raises(errors.ClusterLockInitError):
            make()


def test_localfs_has_no_leases_but_the_spm_s(lock: LocalLock) -> None:
    lease = Lease(DOMAIN, "v", "/x", 0)
    assert not lock.supports_volume_leases
    lock.acquire_host_id(1, wait=True)
    with pytest.raises(errors.AcquireLockFailure):
        lock.acquire(1, lease)
    with pytest.raises(errors.ReleaseLockFailure):
        lock.release(lease)
    with pytest.raises(errors.InquireNotSupported):
        lock.inquire(lease)
    with pytest.raises(errors.ClusterLockInitError):
        lock.create_lease(lease)


@pytest.mark.parametrize(
    ("kind", "version", "made"),
    [
        (DomainType.LOCALFS, 5, LocalLock),
        (DomainType.NFS, 5, SanlockLock),
        (DomainType.SHAREDFS, 3, SanlockLock),
        (DomainType.NFS, 0, NoLock),
        (DomainType.LOCALFS, 2, NoLock),
    ],
)
def test_a_domain_has_one_lock(
    tmp_path: Path, kind: DomainType, version: int, made: type[ClusterLock]
) -> None:
    locks = ClusterLocks(10)
    lock = locks.of(DOMAIN, tmp_path, kind=kind, version=version)
    assert type(lock) is made
    assert locks.of(DOMAIN, tmp_path, kind=kind, version=version) is lock
