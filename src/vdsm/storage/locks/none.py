# SPDX-License-Identifier: GPL-2.0-or-later
"""The lock of a domain of version 0 or 2, which has only safelease: nothing can be locked.

ISO and export domains are such. They are read; no host becomes SPM of one.
"""

from __future__ import annotations

from vdsm.storage import errors
from vdsm.storage.model import Lease
from vdsm.storage.protocols import Owner


class NoLock:
    """Implements vdsm.storage.protocols.ClusterLock: host ids are free, locks are refused."""

    def __init__(self, domain: str, version: int) -> None:
        self._domain = domain
        self._reason = f"domain {domain} has version {version}, whose lock (safelease) is not here"

    def __repr__(self) -> str:
        return f"NoLock({self._domain})"

    def init(self) -> None:
        raise errors.ClusterLockInitError(self._reason)

    def acquire_host_id(self, host_id: int, *, wait: bool) -> None:
        """Nothing: hosts have no ids in it, as in oVirt."""

    def release_host_id(self, host_id: int, *, wait: bool, unused: bool = False) -> None:
        """Nothing."""

    def has_host_id(self, host_id: int) -> bool:
        del host_id
        return True

    def acquire(self, host_id: int, lease: Lease | None = None) -> None:
        del host_id, lease
        raise errors.AcquireLockFailure(self._reason)

    def release(self, lease: Lease | None = None) -> None:
        del lease
        raise errors.ReleaseLockFailure(self._reason)

    def inquire(self, lease: Lease | None = None) -> Owner:
        del lease
        raise errors.InquireNotSupported(self._reason)

    def create_lease(self, lease: Lease) -> None:
        del lease
        raise errors.ClusterLockInitError(self._reason)

    @property
    def supports_volume_leases(self) -> bool:
        return False
