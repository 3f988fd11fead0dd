# SPDX-License-Identifier: GPL-2.0-or-later
"""The lock of a localfs domain: no other host can reach it, so the host id is only remembered.

The SPM's lease is a flock(2) of `dom_md/ids`, as oVirt's: of two vdsm that are mistaken for one
host's, one gets it, and it ends with the process. Source: upstream-vdsm 5.
"""

from __future__ import annotations

import fcntl
import os
import threading
from pathlib import Path

from vdsm.storage import errors
from vdsm.storage.layout import IDS
from vdsm.storage.model import Lease
from vdsm.storage.protocols import Owner


class LocalLock:
    """Implements vdsm.storage.protocols.ClusterLock. For any thread."""

    def __init__(self, domain: str, path: Path) -> None:
        self._domain = domain
        self._ids = path / IDS
        self._lock = threading.Lock()
        self._host_id: int | None = None
        self._fd: int | None = None

    def __repr__(self) -> str:
        return f"LocalLock({self._domain})"

    def init(self) -> None:
        """Nothing: the lock is on the file itself, whatever is in it."""

    def acquire_host_id(self, host_id: int, *, wait: bool) -> None:
        del wait
        with self._lock:
            if self._host_id not in (None, host_id):
                raise errors.AcquireHostIdFailure(
                    f"domain {self._domain}, host id {host_id}: this host is {self._host_id}"
                )
            self._host_id = host_id

    def release_host_id(self, host_id: int, *, wait: bool, unused: bool = False) -> None:
        del wait, unused
        with self._lock:
            if self._host_id is None:
                return
            if self._host_id != host_id:
                raise errors.ReleaseHostIdFailure(
                    f"domain {self._domain}, host id {host_id}: this host is {self._host_id}"
                )
            if self._fd is not None:
                raise errors.ReleaseHostIdFailure(f"domain {self._domain}: the lock is held")
            self._host_id = None

    def has_host_id(self, host_id: int) -> bool:
        with self._lock:
            return self._host_id == host_id

    def acquire(self, host_id: int, lease: Lease | None = None) -> None:
        self._refuse(lease, errors.AcquireLockFailure)
        with self._lock:
            if self._host_id != host_id:
                raise errors.AcquireHostIdFailure(
                    f"domain {self._domain}, host id {host_id}: it is not acquired"
                )
            if self._fd is None:
                self._fd = self._locked()

    def _locked(self) -> int:
        try:
            fd = os.open(self._ids, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError as error:
            raise errors.AcquireLockFailure(f"domain {self._domain}: {error}") from error
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(fd)
            raise errors.AcquireLockFailure(
                f"domain {self._domain}: another process holds {self._ids}: {error.strerror}"
            ) from error
        return fd

    def release(self, lease: Lease | None = None) -> None:
        self._refuse(lease, errors.ReleaseLockFailure)
        with self._lock:
            if self._fd is not None:
                os.close(self._fd)
                self._fd = None

    def inquire(self, lease: Lease | None = None) -> Owner:
        self._refuse(lease, errors.InquireNotSupported)
        with self._lock:
            return Owner(0, 0 if self._fd is None else self._host_id or 0)

    def create_lease(self, lease: Lease) -> None:
        """Raises ClusterLockInitError: there are none, see `supports_volume_leases`."""
        self._refuse(lease, errors.ClusterLockInitError)

    @property
    def supports_volume_leases(self) -> bool:
        return False

    def _refuse(self, lease: Lease | None, kind: type[errors.StorageError]) -> None:
        if lease is not None:
            raise kind(f"localfs domain {self._domain} has no leases, such as {lease.name}")
