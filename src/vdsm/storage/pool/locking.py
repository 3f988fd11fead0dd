# SPDX-License-Identifier: GPL-2.0-or-later
"""Holding the lock of a domain that this host may not be in the lockspace of."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from vdsm.storage import errors
from vdsm.storage.model import MAX_HOSTS, DomainMetadata
from vdsm.storage.protocols import ClusterLock

log = logging.getLogger(__name__)

_SLOTS_PER_2000 = 2048


def reserved_host_id(metadata: DomainMetadata) -> int:
    """The id of a host that has none, because it is in no pool: the highest that the domain has
    room for. 250 hosts fit where a resource has 256 sectors, 2000 where it has 2048."""
    return metadata.alignment // metadata.block_size * MAX_HOSTS // _SLOTS_PER_2000


@contextmanager
def holding(lock: ClusterLock, host_id: int, *, keep_host_id: bool = False) -> Iterator[None]:
    """Holds the domain's SPM lease within the block. The host id is given back when it was taken
    here, unless it is to be kept. Raises AcquireHostIdFailure, AcquireLockFailure."""
    joined = lock.has_host_id(host_id)
    lock.acquire_host_id(host_id, wait=True)
    try:
        lock.acquire(host_id)
        try:
            yield
        finally:
            _quietly_release(lock)
    finally:
        if not joined and not keep_host_id:
            _quietly_leave(lock, host_id)


def _quietly_release(lock: ClusterLock) -> None:
    """The work is done or has failed with its own error; a lease that is not given back now is
    given back with the host id, or with the process."""
    try:
        lock.release()
    except errors.ReleaseLockFailure as error:
        log.warning("The lease of a domain was not released: %s", error)


def _quietly_leave(lock: ClusterLock, host_id: int) -> None:
    try:
        lock.release_host_id(host_id, wait=True)
    except errors.ReleaseHostIdFailure as error:
        log.warning("Host id %d was not released: %s", host_id, error)
