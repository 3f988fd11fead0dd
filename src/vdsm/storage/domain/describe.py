# SPDX-License-Identifier: GPL-2.0-or-later
"""What the API says of a storage domain: StorageDomain.getInfo, getStats and getFileStats.

Where a number is a string here it is one in oVirt's answers, and engines read it so.
"""

from __future__ import annotations

import fnmatch
import re
import stat as modes
from typing import Final

from vdsm.jsonrpc.errors import JSON
from vdsm.storage import errors, layout, specs
from vdsm.storage.domain.create import ISO_IMAGE
from vdsm.storage.domain.os_errors import reading
from vdsm.storage.files import FileStat
from vdsm.storage.formats.domain_metadata import type_name
from vdsm.storage.model import DomainClass, DomainMetadata
from vdsm.storage.protocols import Domain
from vdsm_contract.paths import KVM_GID, QEMU_UID

_DEPTH: Final = 16  # of directories in an ISO domain; deeper files are not listed
_READERS: Final = frozenset({KVM_GID, QEMU_UID})  # qemu's group has the number of its user


def info(domain: Domain) -> dict[str, JSON]:
    """StorageDomainInfo; the metadata is read anew."""
    metadata = domain.metadata()
    return {
        "uuid": metadata.uuid,
        "type": type_name(metadata.kind),
        "class": metadata.domain_class.label,
        "name": metadata.description,
        "role": metadata.role.value,
        "pool": list(metadata.pools),
        "version": str(metadata.version),
        "block_size": metadata.block_size,
        "alignment": metadata.alignment,
        "remotePath": remote_path(metadata, domain.mount.name),
    }


def remote_path(metadata: DomainMetadata, mount: str) -> str:
    """What is mounted: engines look for the connection that has it.

    The metadata says what was mounted when the domain was made; a domain that came by another way
    is told by the name of its mount, in which `_` and `/` cannot always be told apart.
    """
    try:
        if specs.directory_name(metadata.remote_path) == mount:
            return metadata.remote_path
    except specs.BadConnection:
        pass  # metadata of others may say anything
    return "_".join(part.replace("_", "/") for part in mount.split("__"))


def stats(domain: Domain) -> dict[str, JSON]:
    """StorageDomainStats. Raises StaleNfsHandle, StorageDomainAccessError."""
    try:
        with reading(str(domain.path)):
            space = domain.files.space()
    except errors.StaleNfsHandle:
        raise
    except (errors.FileReadError, errors.InsufficientPermissions) as error:
        raise errors.StorageDomainAccessError(str(error.reason)) from error
    return {
        "disktotal": str(space.total),
        "diskfree": str(space.available),
        "mdavalid": True,
        "mdathreshold": True,
        "mdasize": 0,
        "mdafree": 0,
    }


def file_stats(domain: Domain, pattern: str, *, case_sensitive: bool) -> dict[str, JSON]:
    """The files of an ISO domain whose paths match a shell pattern; links are left out.

    `status` is 0, or oVirt's 469 for a file that QEMU may not read. Raises FileStatsError.
    """
    if domain.metadata().domain_class is not DomainClass.ISO:
        raise errors.FileStatsError(f"{domain.uuid} is no ISO domain")
    flags = 0 if case_sensitive else re.IGNORECASE
    matches = re.compile(fnmatch.translate(pattern), flags).match
    with reading(str(domain.path)):
        found = domain.files.scan(layout.image(ISO_IMAGE), depth=_DEPTH)
    return {
        path: {"size": str(stat.size), "ctime": str(stat.ctime), "status": _status(stat)}
        for path, stat in found.items()
        if stat.kind == "file" and matches(path)
    }


def _status(stat: FileStat) -> int:
    readable = stat.mode & modes.S_IROTH or (stat.gid in _READERS and stat.mode & modes.S_IRGRP)
    return 0 if readable else errors.StorageServerAccessError.number
