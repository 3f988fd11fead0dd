# SPDX-License-Identifier: GPL-2.0-or-later
"""External leases: made, found and removed in a domain's `dom_md/xleases`. docs/storage-locks.md.

A change is three writes: the record says that it is updated, sanlock writes the lease, the record
says what is there now. A kill leaves a record that is updated, and the next change of the same
lease, or a rebuild, goes on from there. Only the SPM changes the index; a lease's metadata is
changed by whoever gets the lease.
"""

from __future__ import annotations

import errno
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from vdsm.storage import errors, layout
from vdsm.storage.domain_types import DomainType
from vdsm.storage.formats import lease_metadata, xleases
from vdsm.storage.formats.lease_metadata import LeaseMetadata, LeaseMetadataError
from vdsm.storage.formats.xleases import FREE, Index, IndexMetadata, Layout, Record, XleasesError
from vdsm.storage.locks.binding import SANLK_LEADER_MAGIC, SanlockError
from vdsm.storage.locks.sanlock import SanlockLock
from vdsm.storage.model import Lease
from vdsm.storage.protocols import Domain, Domains, Owner, Resource, Resources

log = logging.getLogger(__name__)

FIRST_VERSION: Final = 4


@dataclass(frozen=True, slots=True)
class _Volume:
    """The file of one domain."""

    domain: Domain
    lock: SanlockLock
    layout: Layout

    def lease(self, name: str, number: int) -> Lease:
        path = str(self.domain.path / layout.XLEASES)
        return Lease(self.domain.uuid, name, path, self.layout.lease_offset(number))

    def index(self) -> Index:
        where = self.layout
        data = self.domain.files.read_at(layout.XLEASES, where.index_offset, where.index_size)
        return Index(data, where)

    def change(self, number: int, record: Record) -> None:
        """Writes one record, in its block as it is now."""
        offset, block = self.index().changed_block(number, record)
        self.domain.files.write_at(layout.XLEASES, offset, block)

    def metadata(self, lease: Lease) -> LeaseMetadata | None:
        """As it is on the disk; the lease need not be held, and who holds it is not disturbed."""
        offset = lease.offset + self.layout.metadata_offset
        size = self.layout.block_size
        return lease_metadata.load(self.domain.files.read_at(layout.XLEASES, offset, size))

    def require_room_for_metadata(self) -> None:
        """Raises XleasesError: without room sanlock would write into the next lease."""
        _ = self.layout.metadata_offset

    def write_metadata(self, host_id: int, lease: Lease, metadata: LeaseMetadata) -> None:
        block = lease_metadata.dump(metadata, self.layout.block_size)
        self.lock.change_block(host_id, lease, lambda _now: block)

    def make_room(self, number: int) -> None:
        end = self.layout.lease_offset(number) + self.layout.alignment
        if self.domain.files.stat(layout.XLEASES).size < end:
            self.domain.files.truncate(layout.XLEASES, end)


@dataclass(frozen=True, slots=True)
class LeaseStatus:
    """Who holds a lease, how often it was taken, and the job that it is for, if any."""

    owner: Owner
    version: int
    metadata: LeaseMetadata | None


class ExternalLeases:
    """The leases of all domains. All methods raise StorageDomainDoesNotExist, and
    UnsupportedDomainVersion for a domain that has none."""

    def __init__(self, domains: Domains, resources: Resources) -> None:
        self._domains = domains
        self._resources = resources

    def create(
        self, domain: str, name: str, metadata: LeaseMetadata | None = None, *, host_id: int = 0
    ) -> None:
        """Makes a free lease; its metadata are written as host `host_id`, before it can be found.
        Raises DomainAlreadyLocked when it is there, NoSpaceLeft, ClusterLockInitError,
        AcquireLockFailure."""
        with self._changing(domain) as volume:
            if metadata is not None:
                volume.require_room_for_metadata()
            index = volume.index()
            number = index.find(name)
            if number is not None and not index.record(number).updating:
                raise errors.DomainAlreadyLocked(f"lease {name} of domain {domain} is there")
            if number is None:
                number = index.free()
            if number is None:
                raise errors.NoSpaceLeft(
                    f"domain {domain} has {xleases.MAX_RECORDS} leases, which is all that it can"
                )
            lease = volume.lease(name, number)
            volume.change(number, Record(name, lease.offset, updating=True))
            volume.make_room(number)
            volume.lock.create_lease(lease)
            if metadata is not None:
                volume.write_metadata(host_id, lease, metadata)
            volume.change(number, Record(name, lease.offset))
            log.info("Lease %s of domain %s is at %d", name, domain, lease.offset)

    def delete(self, domain: str, name: str) -> None:
        """Removes a lease, whoever holds it. Raises NoSuchLease, ClusterLockInitError."""
        with self._changing(domain) as volume:
            number = _found(volume.index(), domain, name)
            lease = volume.lease(name, number)
            volume.change(number, Record(name, lease.offset, updating=True))
            volume.lock.write_resource(lease, clear=True)
            volume.change(number, FREE)
            log.info("Lease %s of domain %s is removed", name, domain)

    def fence(self, domain: str, name: str, wanted: LeaseMetadata, *, host_id: int) -> None:
        """Ends the pending job that a lease is for, whoever was to do it: it finds another
        generation. Raises NoSuchLease, GenerationMismatch when it is another job or was done,
        AcquireLockFailure while a host holds the lease, for then the job goes on."""
        with (
            self._resources.holding(
                Resource(("leases", domain), exclusive=False), Resource(("lease", domain, name))
            ),
            self._reading(domain) as volume,
        ):
            lease = _ready(volume, name)
            size = volume.layout.block_size
            volume.require_room_for_metadata()

            def change(block: bytes) -> bytes:
                now = lease_metadata.load(block)
                return lease_metadata.dump(
                    lease_metadata.fenced(now, wanted, int(time.time())), size
                )

            volume.lock.change_block(host_id, lease, change)
            log.info("The job of lease %s of domain %s is fenced: %s", name, domain, wanted)

    def info(self, domain: str, name: str) -> Lease:
        """Where a lease is. Raises NoSuchLease, also for one that is being made or removed."""
        with self._reading(domain) as volume:
            return _ready(volume, name)

    def status(self, domain: str, name: str) -> LeaseStatus:
        """Who holds a lease, and what for. Raises NoSuchLease, StorageError."""
        with self._reading(domain) as volume:
            lease = _ready(volume, name)
            record = volume.lock.read_resource(lease.path, lease.offset)
            try:
                metadata = volume.metadata(lease)
            except (XleasesError, LeaseMetadataError) as error:
                # Who holds it must be known all the same: a VM may be waiting for it.
                log.warning("Lease %s of domain %s: %s", name, domain, error)
                metadata = None
            return LeaseStatus(volume.lock.inquire(lease), record["version"], metadata)

    def rebuild(self, domain: str) -> None:
        """Makes the index anew from the leases that are there. A kill leaves an index that says it
        must be rebuilt."""
        with self._changing(domain) as volume:
            files, where = volume.domain.files, volume.layout
            size = files.stat(layout.XLEASES).size
            marked = IndexMetadata(domain, int(time.time()), updating=True)
            head = xleases.dump_metadata(marked, where.block_size)
            files.write_at(layout.XLEASES, where.index_offset, head)
            records = [_existing(volume, number, size) for number in range(xleases.MAX_RECORDS)]
            marked_index = xleases.dump_index(marked, records, where)
            files.write_at(layout.XLEASES, where.index_offset, marked_index)
            whole = xleases.dump_metadata(IndexMetadata(domain, int(time.time())), where.block_size)
            files.write_at(layout.XLEASES, where.index_offset, whole)
            count = sum(not record.free for record in records)
            log.info("The index of domain %s is rebuilt; it has %d leases", domain, count)

    @contextmanager
    def _changing(self, domain: str) -> Iterator[_Volume]:
        with (
            self._resources.holding(Resource(("leases", domain))),
            self._reading(domain) as volume,
        ):
            yield volume

    @contextmanager
    def _reading(self, uuid: str) -> Iterator[_Volume]:
        domain = self._domains.find(uuid)
        lock = domain.lock
        if (
            domain.version < FIRST_VERSION
            or domain.kind is DomainType.LOCALFS
            or not isinstance(lock, SanlockLock)
        ):
            raise errors.UnsupportedDomainVersion(
                f"domain {uuid} has no leases: version {domain.version}, {domain.kind.name}"
            )
        metadata = domain.metadata()
        volume = _Volume(domain, lock, Layout(metadata.alignment, metadata.block_size))
        try:
            yield volume
        except (XleasesError, LeaseMetadataError) as error:
            raise errors.MetadataError(f"{domain.path / layout.XLEASES}: {error}") from error
        except SanlockError as error:
            raise errors.ClusterLockInitError(f"leases of domain {uuid}: {error}") from error
        except OSError as error:
            kind = errors.NoSpaceLeft if error.errno == errno.ENOSPC else errors.FileWriteError
            raise kind(f"{domain.path / layout.XLEASES}: {error.strerror}") from error


def _found(index: Index, domain: str, name: str) -> int:
    number = index.find(name)
    if number is None:
        raise errors.NoSuchLease(f"lease {name} of domain {domain}")
    return number


def _ready(volume: _Volume, name: str) -> Lease:
    """A lease that is not being made or removed."""
    index = volume.index()
    number = _found(index, volume.domain.uuid, name)
    if index.record(number).updating:
        raise errors.NoSuchLease(f"lease {name} of domain {volume.domain.uuid} is being changed")
    return volume.lease(name, number)


def _existing(volume: _Volume, number: int, size: int) -> Record:
    """The record of the lease that is at its place, if one is."""
    offset = volume.layout.lease_offset(number)
    if offset + volume.layout.alignment > size:
        return FREE
    try:
        found = volume.lock.read_resource(str(volume.domain.path / layout.XLEASES), offset)
    except SanlockError as error:
        if error.code != SANLK_LEADER_MAGIC:
            raise
        return FREE
    name = found["resource"].decode("ascii", errors="replace")
    return Record(name, offset) if name else FREE
