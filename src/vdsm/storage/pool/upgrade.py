# SPDX-License-Identifier: GPL-2.0-or-later
"""Bringing file domains from version 3 or 4 to 4 or 5.

What changes from 3 to 4 is the file of external leases, from 4 to 5 the metadata of volumes: the
size in bytes (CAP) beside and then instead of blocks (SIZE). In between the domain's version is
written, so that a kill leaves a domain whose every reader finds the keys it knows, and that is
converted when it is activated or the SPM starts next. Order: oVirt's (upstream-vdsm 5).
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from contextvars import copy_context
from dataclasses import replace
from functools import partial

from vdsm.storage import errors, layout
from vdsm.storage.domain.create import FormatLeases, has_external_leases
from vdsm.storage.domain.os_errors import writing
from vdsm.storage.files import Files
from vdsm.storage.formats import volume_metadata
from vdsm.storage.model import CREATABLE_VERSIONS, DomainClass, SpmStatus, VolumeMetadata, is_uuid
from vdsm.storage.pool.connected import ConnectedPool
from vdsm.storage.protocols import Domain, Domains, Resource, Resources

log = logging.getLogger(__name__)

_V5 = 5
_BATCH = 64
_DEPTH = 2  # <image>/<volume>.meta


class Upgrades:
    """The versions of a pool's domains."""

    def __init__(self, domains: Domains, resources: Resources, format_leases: FormatLeases) -> None:
        self._domains = domains
        self._resources = resources
        self._format_leases = format_leases

    def upgrade(self, pool: ConnectedPool, version: int) -> None:
        """Converts the master, and then in the background the other active data domains that
        answer. The caller holds the pool and the master.

        Raises PoolUpgradeInProgress, DomainVersionTooAdvanced, UnsupportedDomainVersion, and what
        is wrong with the master's volumes.
        """
        with self._converting(pool.uuid):
            self.convert(pool.master, version)
        others = [uuid for uuid in pool.active() if uuid != pool.master.uuid]
        if others:
            convert = partial(copy_context().run, self._convert_members, pool, others, version)
            threading.Thread(target=convert, daemon=True).start()

    def convert(self, domain: Domain, version: int) -> None:
        """Converts one domain; the caller holds it. One that has the version is left alone.

        Raises DomainVersionTooAdvanced, UnsupportedDomainVersion, and for a volume whose metadata
        cannot be read what reading it raises; the domain then has its old version.
        """
        metadata = domain.metadata()
        if metadata.version == version:
            return
        if metadata.version > version:
            raise errors.DomainVersionTooAdvanced(f"{domain.uuid} has {metadata.version}")
        if not {metadata.version, version} <= set(CREATABLE_VERSIONS):
            raise errors.UnsupportedDomainVersion(
                f"{domain.uuid}: from {metadata.version} to {version}"
            )
        log.info("Domain %s is upgraded from %d to %d", domain.uuid, metadata.version, version)
        if not has_external_leases(metadata.version, metadata.kind):
            self._add_external_leases(domain, version)
        if version >= _V5:
            _rewrite_volumes(domain.files, _with_both_sizes)
        domain.change_metadata(lambda found: replace(found, version=version))
        if version >= _V5:
            _finish(domain)

    def _add_external_leases(self, domain: Domain, version: int) -> None:
        """Leases of a version-3 domain are in no file; what is there is of a conversion that did
        not come to its end."""
        metadata = replace(domain.metadata(), version=version)
        if not has_external_leases(version, metadata.kind):
            return
        with writing(str(domain.path / layout.XLEASES)):
            if not domain.files.exists(layout.XLEASES):
                domain.files.create(layout.XLEASES)
            self._format_leases(domain.files, metadata)

    def _convert_members(self, pool: ConnectedPool, members: list[str], version: int) -> None:
        with self._converting(pool.uuid):
            for uuid in members:
                try:
                    with self._resources.holding(Resource.domain(uuid)):
                        self._convert_member(pool, uuid, version)
                except (errors.StorageError, OSError) as error:
                    # It is converted when it is activated or an SPM starts.
                    log.warning("Domain %s was not upgraded to %d: %s", uuid, version, error)

    def _convert_member(self, pool: ConnectedPool, uuid: str, version: int) -> None:
        if pool.role is SpmStatus.FREE:  # the SPM that starts holds the lease already
            raise errors.SpmStatusError(f"pool {pool.uuid}")
        domain = self._domains.find(uuid)
        metadata = domain.metadata()
        if metadata.domain_class is DomainClass.DATA and metadata.version < version:
            self.convert(domain, version)

    @contextmanager
    def _converting(self, pool: str) -> Iterator[None]:
        """One upgrade of a pool at a time. Raises PoolUpgradeInProgress."""
        with ExitStack() as held:
            try:
                held.enter_context(self._resources.holding(Resource(("upgrade", pool)), timeout=0))
            except errors.ResourceTimeout:
                raise errors.PoolUpgradeInProgress(pool) from None
            yield


def _finish(domain: Domain) -> None:
    """Takes the old size out of the volumes' metadata. Readers do not look at it any more, and the
    next write of a volume's metadata does without it, so that a failure does no harm."""
    try:
        _rewrite_volumes(domain.files, lambda metadata: volume_metadata.encode(metadata, _V5))
    except (errors.StorageError, OSError) as error:
        log.warning("Volumes of domain %s keep their old sizes, too: %s", domain.uuid, error)


def _rewrite_volumes(files: Files, encode: Callable[[VolumeMetadata], bytes]) -> None:
    with writing(str(files.root / layout.IMAGES)):
        _rewrite(files, encode)


def _rewrite(files: Files, encode: Callable[[VolumeMetadata], bytes]) -> None:
    paths = _metadata_paths(files)
    for start in range(0, len(paths), _BATCH):
        batch = paths[start : start + _BATCH]
        for path, data in zip(batch, files.read_many(batch), strict=True):
            if data is None:
                continue  # removed since
            new = encode(volume_metadata.decode(data, path))
            if new != data:
                files.write(path, new)


def _metadata_paths(files: Files) -> list[str]:
    """The `.meta` files of all volumes, without those of images that are being removed."""
    found = files.scan(layout.IMAGES, depth=_DEPTH)
    return sorted(
        f"{layout.IMAGES}/{path}"
        for path, stat in found.items()
        if stat.kind == "file"
        and path.endswith(layout.META_SUFFIX)
        and is_uuid(path.partition("/")[0])
    )


def _with_both_sizes(metadata: VolumeMetadata) -> bytes:
    """What readers of version 4 and of version 5 understand."""
    lines = {
        *volume_metadata.encode(metadata, _V5 - 1).splitlines(keepends=True),
        *volume_metadata.encode(metadata, _V5).splitlines(keepends=True),
    }
    end = b"EOF\n"
    return b"".join(sorted(lines - {end})) + end
