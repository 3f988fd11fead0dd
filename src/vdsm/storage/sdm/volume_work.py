# SPDX-License-Identifier: GPL-2.0-or-later
"""Working on volumes while others may want to: locks of this host, leases of the cluster, and the
generation that tells a job that was done from one that was not.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace

from vdsm.storage import errors
from vdsm.storage.formats.volume_metadata import next_generation
from vdsm.storage.model import Legality, VolumeId, VolumeMetadata
from vdsm.storage.protocols import Domains, Pools, Resource, Resources, Volumes

log = logging.getLogger(__name__)


class VolumeWork:
    """Who may work on which volume, and what is left in its metadata. For any thread."""

    def __init__(
        self, domains: Domains, volumes: Volumes, resources: Resources, pools: Pools
    ) -> None:
        self._domains = domains
        self._volumes = volumes
        self._resources = resources
        self._pools = pools

    @contextmanager
    def holding(
        self,
        *,
        reads: Sequence[VolumeId] = (),
        writes: Sequence[VolumeId] = (),
        leased: bool = True,
    ) -> Iterator[None]:
        """Holds the images of volumes that are read, and alone those that are written; of the
        latter also the leases, where the domain has them, so that no other host writes to them.
        A volume that is to be made is not `leased`.
        Raises ResourceTimeout, AcquireLockFailure, StorageDomainDoesNotExist, and
        StorageDomainNotMemberOfPool for one of another pool."""
        self._refuse_foreign({each.domain for each in (*reads, *writes)})
        wanted = [Resource.domain(each.domain, exclusive=False) for each in (*reads, *writes)]
        wanted += [Resource.image(each.domain, each.image, exclusive=False) for each in reads]
        wanted += [Resource.image(each.domain, each.image) for each in writes]
        with self._resources.holding(*wanted), ExitStack() as leases:
            for volume in sorted(set(writes), key=str) if leased else ():
                leases.enter_context(self.lease(volume))
            yield

    def _refuse_foreign(self, domains: Iterable[str]) -> None:
        pool = self._pools.connected()
        if pool is not None:
            for domain in domains:
                self._pools.require_member(pool, domain)

    @contextmanager
    def lease(self, volume: VolumeId) -> Iterator[None]:
        """Holds the lease of one volume, where the domain has them. Raises AcquireLockFailure."""
        lock = self._domains.find(volume.domain).lock
        if not lock.supports_volume_leases:
            yield
            return
        pool = self._pools.connected()
        if pool is None:
            raise errors.StoragePoolNotConnected(f"the lease of {volume} needs its host id")
        lease = self._volumes.lease(volume)
        lock.acquire(self._pools.host_id(pool), lease)
        try:
            yield
        finally:
            try:
                lock.release(lease)
            except errors.ReleaseLockFailure:
                # It ends with this process at the latest; what was done is done.
                log.exception("Lease of %s", volume)

    @contextmanager
    def operation(
        self, volume: VolumeId, generation: int | None, *, illegal: bool
    ) -> Iterator[VolumeMetadata]:
        """Around the change of a volume's data. With `illegal` it is ILLEGAL meanwhile and LEGAL
        after; a failure or a crash leaves it ILLEGAL for all to see. The generation counts what
        was done, in the same write as the legality. Raises GenerationMismatch, with nothing
        changed."""
        before = self._volumes.metadata(volume)
        refuse_generation(before, generation, volume)
        if illegal:
            self._volumes.change_metadata(volume, lambda now: _with(now, Legality.ILLEGAL))
        yield before

        def done(now: VolumeMetadata) -> VolumeMetadata:
            now = _with(now, Legality.LEGAL) if illegal else now
            return replace(now, generation=next_generation(before.generation))

        self._volumes.change_metadata(volume, done)


def refuse_generation(metadata: VolumeMetadata, wanted: int | None, volume: VolumeId) -> None:
    """Raises GenerationMismatch unless a volume has the generation that a job is for."""
    if wanted is not None and metadata.generation != wanted:
        raise errors.GenerationMismatch(
            f"{volume} has {metadata.generation}, and {wanted} was given"
        )


def _with(metadata: VolumeMetadata, legality: Legality) -> VolumeMetadata:
    return replace(metadata, legality=legality)
