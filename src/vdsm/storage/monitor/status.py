# SPDX-License-Identifier: GPL-2.0-or-later
"""What a monitor knows of its domain, and how the engine reads it (oVirt's StorageDomainVitals)."""

from __future__ import annotations

from dataclasses import dataclass

from vdsm.jsonrpc.errors import JSON
from vdsm.storage.errors import StorageDomainAccessError, StorageError


@dataclass(frozen=True, slots=True)
class Status:
    """The result of one look at a domain. `checked` is when it ended, of time.monotonic(); `delay`
    is what reading its metadata took, in seconds; `acquired` whether the host id is held."""

    checked: float
    error: StorageError | None = None
    delay: float = 0.0
    version: int = -1
    acquired: bool = False
    actual: bool = True
    """False until the first look has ended: the engine takes nothing from such a status."""

    @property
    def valid(self) -> bool:
        return self.error is None

    def vitals(self, now: float) -> JSON:
        return {
            "code": 0 if self.error is None else self.error.number,
            "valid": self.valid,
            "delay": f"{self.delay:.6f}",
            "lastCheck": f"{max(0.0, now - self.checked):.1f}",
            "version": self.version,
            "acquired": self.acquired,
            "actual": self.actual,
        }


def overdue(status: Status, since: float) -> Status:
    """What is said while a look at the domain takes long: it does not answer."""
    error = StorageDomainAccessError(f"no answer for {since:.0f} s")
    return Status(status.checked, error, version=status.version, acquired=status.acquired)
