# SPDX-License-Identifier: GPL-2.0-or-later
"""Changing a domain's metadata as one step of something bigger."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from vdsm.storage import errors
from vdsm.storage.model import DomainMetadata
from vdsm.storage.protocols import Domain

log = logging.getLogger(__name__)


@contextmanager
def changed(
    domain: Domain, change: Callable[[DomainMetadata], DomainMetadata]
) -> Iterator[DomainMetadata]:
    """Changes the metadata for the block, which may use what was written, and for good when the
    block ends well; after a failure the metadata is put back as it was. Raises what
    `Domain.change_metadata` does."""
    before = domain.metadata()
    after = change(before)
    well = False
    try:
        yield domain.change_metadata(change)
        well = True
    finally:
        if not well:
            _put_back(domain, before, after)


def _put_back(domain: Domain, before: DomainMetadata, after: DomainMetadata) -> None:
    """The failure is what the caller is told, not this one."""
    try:
        domain.change_metadata(lambda now: before if now == after else now)
    except (errors.StorageError, OSError) as error:
        log.warning("Domain %s was not put back as it was: %s", domain.uuid, error)
