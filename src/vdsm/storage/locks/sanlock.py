# SPDX-License-Identifier: GPL-2.0-or-later
"""The lock of a domain on shared storage (versions 3 to 5): sanlock's lockspace and resources.

Lockspace: `dom_md/ids`, named by the domain. SPM's lease: resource `SDM` in `dom_md/leases`, one
alignment from its begin. Source: upstream-vdsm 5, sanlock(8).
"""

from __future__ import annotations

import errno
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from vdsm.storage import errors
from vdsm.storage.layout import IDS, LEASES
from vdsm.storage.locks import binding as bindings
from vdsm.storage.locks.binding import Binding, SanlockError, translated
from vdsm.storage.locks.registration import Registration, end_process
from vdsm.storage.model import Lease
from vdsm.storage.protocols import Owner

log = logging.getLogger(__name__)

SPM_LEASE: Final = "SDM"

_PAUSE_S: Final = 0.25
"""Between two looks at a host id that is on its way."""

_MAX_HOSTS: Final = {
    (512, 1 << 20): 2000,
    (4096, 1 << 20): 250,
    (4096, 2 << 20): 500,
    (4096, 4 << 20): 1000,
    (4096, 8 << 20): 2000,
}
"""By size of a sector and alignment: sanlock(8)."""


def spm_lease(domain: str, path: Path, alignment: int) -> Lease:
    """The lease of the SPM of a domain in the directory `path`."""
    return Lease(domain, SPM_LEASE, str(path / LEASES), alignment)


class SanlockLock:
    """Implements vdsm.storage.protocols.ClusterLock. `io_timeout` is in seconds."""

    def __init__(
        self,
        domain: str,
        path: Path,
        *,
        alignment: int,
        block_size: int,
        io_timeout: int,
        binding: Callable[[], Binding] = bindings.load,
        lost: Callable[[], None] = end_process,
    ) -> None:
        self._domain = domain
        self._name = domain.encode()
        self._ids = str(path / IDS)
        self._spm = spm_lease(domain, path, alignment)
        self._alignment = alignment
        self._block_size = block_size
        self._io_timeout = io_timeout
        self._binding = binding
        self._registration = Registration(binding, lost)
        # sanlock takes a second to notice that it shall release, and says "acquired" until then.
        self._leaving = False

    def __repr__(self) -> str:
        return f"SanlockLock({self._domain})"

    # --- writing ----------------------------------------------------------------------------------

    def init(self) -> None:
        try:
            binding = self._binding()
            with translated(binding):
                binding.write_lockspace(
                    self._name,
                    self._ids,
                    iotimeout=self._io_timeout,
                    align=self._alignment,
                    sector=self._block_size,
                )
            self.write_resource(self._spm)
        except SanlockError as error:
            raise errors.ClusterLockInitError(f"domain {self._domain}: {error}") from error

    def create_lease(self, lease: Lease) -> None:
        try:
            self.write_resource(lease)
        except SanlockError as error:
            raise errors.ClusterLockInitError(self._reason(lease, error)) from error

    def write_resource(self, lease: Lease, *, clear: bool = False) -> None:
        """Writes a free resource, or with `clear` one that is none. Raises SanlockError."""
        binding = self._binding()
        with translated(binding):
            binding.write_resource(
                *_resource(lease), align=self._alignment, sector=self._block_size, clear=clear
            )

    # --- host ids ---------------------------------------------------------------------------------

    def acquire_host_id(self, host_id: int, *, wait: bool) -> None:
        highest = _MAX_HOSTS.get((self._block_size, self._alignment), 0)
        if not 1 <= host_id <= highest:
            raise errors.AcquireHostIdFailure(f"host id {host_id} is not from 1 to {highest}")
        deadline = self._deadline()
        try:
            while self._still_leaving(host_id):
                if not wait:
                    return
                self._pause(deadline)
            while True:
                ours = self._add(host_id)
                if ours is None or not wait:
                    return
                if self._settled(host_id, deadline):
                    log.info("Domain %s: host id %d is acquired", self._domain, host_id)
                    return
                if ours:
                    break
                # It was being released, and is by now: our turn.
        except SanlockError as error:
            raise errors.AcquireHostIdFailure(self._host(host_id, str(error))) from error
        raise errors.AcquireHostIdFailure(
            self._host(host_id, "another host has this host id, or the storage is too slow")
        )

    def _add(self, host_id: int) -> bool | None:
        """Asks for the host id. True: it is being acquired; False: it is still being released;
        None: it was there."""
        binding = self._binding()
        try:
            with translated(binding):
                binding.add_lockspace(
                    self._name, host_id, self._ids, iotimeout=self._io_timeout, wait=False
                )
        except SanlockError as error:
            if error.code == errno.EEXIST:
                return None
            if error.code == errno.EINPROGRESS:  # the monitor asked before: its answer is ours
                return True
            if error.code == errno.EAGAIN:
                return False
            raise
        return True

    def release_host_id(self, host_id: int, *, wait: bool, unused: bool = False) -> None:
        held = self._registration.held()
        if held:  # sanlock would kill us
            why = f"leases are held: {', '.join(held)}"
            raise errors.ReleaseHostIdFailure(self._host(host_id, why))
        try:
            binding = self._binding()
            with translated(binding):
                binding.rem_lockspace(self._name, host_id, self._ids, wait=wait, unused=unused)
            self._leaving = not wait
            if wait:
                log.info("Domain %s: host id %d is released", self._domain, host_id)
        except SanlockError as error:
            if error.code != errno.ENOENT:
                raise errors.ReleaseHostIdFailure(self._host(host_id, str(error))) from error

    def has_host_id(self, host_id: int) -> bool:
        try:
            return not self._still_leaving(host_id) and self._state(host_id) is True
        except SanlockError as error:
            log.warning("Domain %s: sanlock does not tell of host id %d: %s",
                        self._domain, host_id, error)  # fmt: skip
            return False

    def _state(self, host_id: int) -> bool | None:
        binding = self._binding()
        with translated(binding):
            return binding.inq_lockspace(self._name, host_id, self._ids)

    def _settled(self, host_id: int, deadline: float) -> bool:
        """Waits until the host id is acquired (True) or not (False)."""
        while (state := self._state(host_id)) is None:
            self._pause(deadline)
        return state

    def _still_leaving(self, host_id: int) -> bool:
        if self._leaving and self._state(host_id) is False:
            self._leaving = False
        return self._leaving

    def _pause(self, deadline: float) -> None:
        if time.monotonic() > deadline:
            raise SanlockError(errno.ETIMEDOUT, "it took too long")
        time.sleep(_PAUSE_S)

    def _deadline(self) -> float:
        # sanlock waits for 14 io_timeouts and the watchdog's 60 s for a host that vanished.
        return time.monotonic() + 120 + 20 * self._io_timeout

    # --- leases -----------------------------------------------------------------------------------

    def acquire(self, host_id: int, lease: Lease | None = None) -> None:
        self._acquire(host_id, lease or self._spm, block=False)

    def _acquire(self, host_id: int, lease: Lease, *, block: bool) -> None:
        try:
            # The monitor may be acquiring it right now.
            if not self._settled(host_id, self._deadline()):
                raise errors.AcquireHostIdFailure(self._host(host_id, "it is not acquired"))
            self._registration.acquire(lease, lvb=block)
        except SanlockError as error:
            raise errors.AcquireLockFailure(self._reason(lease, error)) from error
        log.info("Domain %s: lease %s is acquired", self._domain, lease.name)

    def release(self, lease: Lease | None = None) -> None:
        lease = lease or self._spm
        try:
            self._registration.release(lease)
        except SanlockError as error:
            raise errors.ReleaseLockFailure(self._reason(lease, error)) from error
        log.info("Domain %s: lease %s is released", self._domain, lease.name)

    def change_block(self, host_id: int, lease: Lease, change: Callable[[bytes], bytes]) -> None:
        """Takes a lease, changes its block (one sector, for whoever uses it), and gives it back:
        sanlock writes the block then. What `change` raises leaves it as it was. Raises
        AcquireLockFailure while somebody holds the lease, ReleaseLockFailure, SanlockError."""
        self._acquire(host_id, lease, block=True)
        try:
            binding = self._binding()
            with translated(binding):
                block = binding.get_lvb(*_resource(lease), self._block_size)
            changed = change(block)
            with translated(binding):
                binding.set_lvb(*_resource(lease), changed)
        finally:
            self.release(lease)

    def inquire(self, lease: Lease | None = None) -> Owner:
        """Who holds a lease, as the storage says; the generation is the lease's version. Raises
        StorageError when it cannot be read."""
        lease = lease or self._spm
        try:
            record = self.read_resource(lease.path, lease.offset)
            name = record["resource"].decode(errors="replace")
            if name != lease.name:
                raise errors.StorageError(f"lease {lease.name} of {self._domain}: it is {name}'s")
            owners = self.owners(lease)
        except SanlockError as error:
            raise errors.StorageError(self._reason(lease, error)) from error
        if not owners:
            return Owner(0, 0)
        if len(owners) > 1:
            raise errors.StorageError(f"lease {lease.name} of {self._domain} is held by {owners}")
        return Owner(record["version"], owners[0])

    def read_resource(self, path: str, offset: int) -> bindings.ResourceRecord:
        """Raises SanlockError, with SANLK_LEADER_MAGIC when nothing is there."""
        binding = self._binding()
        with translated(binding):
            return binding.read_resource(
                path, offset, align=self._alignment, sector=self._block_size
            )

    def owners(self, lease: Lease) -> list[int]:
        """The ids of the hosts that hold a lease. Raises SanlockError."""
        binding = self._binding()
        with translated(binding):
            found = binding.read_resource_owners(
                *_resource(lease), align=self._alignment, sector=self._block_size
            )
        return [owner["host_id"] for owner in found]

    @property
    def supports_volume_leases(self) -> bool:
        return True

    # --- words ------------------------------------------------------------------------------------

    def _host(self, host_id: int, why: str) -> str:
        return f"domain {self._domain}, host id {host_id}: {why}"

    def _reason(self, lease: Lease, error: SanlockError) -> str:
        return f"lease {lease.name} of domain {self._domain}: {error}"


def _resource(lease: Lease) -> tuple[bytes, bytes, list[tuple[str, int]]]:
    return lease.lockspace.encode(), lease.name.encode(), [(lease.path, lease.offset)]
