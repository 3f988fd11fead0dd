# SPDX-License-Identifier: GPL-2.0-or-later
"""What StorageDomain.create is asked for, checked as far as that needs no storage. Pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from vdsm.jsonrpc.errors import JSON
from vdsm.storage import domain_types, errors, model, specs
from vdsm.storage.domain_types import DomainType
from vdsm.storage.model import BLOCK_SIZE, CREATABLE_VERSIONS, MAX_HOSTS, MIB, DomainClass

NAME_LENGTH: Final = 50
"""Characters of a domain's name at most."""

BLOCK_SIZE_AUTO: Final = 0
# Control characters, halves of characters, ends of lines and paragraphs (Unicode's categories).
_NOT_OF_A_LINE: Final = frozenset({"Cc", "Cs", "Zl", "Zp"})

_BLOCK_SIZE_4K: Final = 4096

# Blocks that a domain of version 5 may be asked to have. NFS hides its own.
_BLOCK_SIZES: Final = {
    DomainType.NFS: (BLOCK_SIZE,),
    DomainType.SHAREDFS: (BLOCK_SIZE,),
    DomainType.LOCALFS: (BLOCK_SIZE_AUTO, BLOCK_SIZE, _BLOCK_SIZE_4K),
}

# How many hosts a lockspace with blocks of 4096 bytes takes, by its alignment.
_HOSTS_4K: Final = ((250, MIB), (500, 2 * MIB), (1000, 4 * MIB), (MAX_HOSTS, 8 * MIB))


@dataclass(frozen=True, slots=True)
class NewDomain:
    """`remote_path` is normalized; `block_size` 0 takes that of the storage."""

    uuid: str
    kind: DomainType
    remote_path: str
    name: str
    domain_class: DomainClass
    version: int
    block_size: int = BLOCK_SIZE
    max_hosts: int = MAX_HOSTS


def parse(params: Mapping[str, JSON]) -> NewDomain:
    """Reads the parameters of the verb, which the schema has checked for their JSON types.

    Raises InvalidParameter, StorageDomainTypeError, StorageDomainClassError, IllegalRemotePath,
    StorageDomainDescriptionTooLong, UnsupportedDomainVersion, and VdsmError -32602.
    """
    kind = domain_types.parse(params["domainType"], "domainType")
    if kind not in _BLOCK_SIZES:
        raise errors.StorageDomainTypeError(kind.name)
    version = _version(params.get("version", 0))
    return NewDomain(
        uuid=_uuid(params["storagedomainID"]),
        kind=kind,
        remote_path=_remote_path(params["typeArgs"], kind),
        name=name(params["name"]),
        domain_class=_domain_class(params["domainClass"]),
        version=version,
        block_size=_block_size(params.get("blockSize", BLOCK_SIZE), version, kind),
        max_hosts=_max_hosts(params.get("maxHosts", MAX_HOSTS)),
    )


def name(value: JSON, field: str = "name") -> str:
    """A domain's name. Raises InvalidParameter, StorageDomainDescriptionTooLong."""
    if not isinstance(value, str) or not all(map(_fits_in_a_line, value)):
        raise errors.InvalidParameter(field, f"{value!r:.60} is not a name")
    if len(value) > NAME_LENGTH:
        raise errors.StorageDomainDescriptionTooLong(
            f"{field} has {len(value)} characters, {NAME_LENGTH} are allowed"
        )
    return value


def alignment(block_size: int, max_hosts: int) -> int:
    """sanlock's alignment of the leases, in bytes, so that `max_hosts` hosts have a place."""
    if block_size == BLOCK_SIZE:
        return MIB
    return next(size for hosts, size in _HOSTS_4K if max_hosts <= hosts)


def _fits_in_a_line(character: str) -> bool:
    return unicodedata.category(character) not in _NOT_OF_A_LINE


def _uuid(value: JSON) -> str:
    uuid = model.uuid(value, "storagedomainID")
    if uuid == model.BLANK_UUID:
        raise errors.InvalidParameter("storagedomainID", "it is the blank uuid")
    return uuid


def _remote_path(value: JSON, kind: DomainType) -> str:
    """Engines send the path alone; oVirt's schema says an object with `remotePath`."""
    if isinstance(value, dict):
        value = value.get("remotePath")
    if not isinstance(value, str):
        raise errors.InvalidParameter("typeArgs", "it has no path")
    try:
        spec = specs.normalize(value)
    except specs.BadConnection as error:
        raise errors.IllegalRemotePath(f"{value!r:.100}: {error}") from None
    if kind is DomainType.NFS and not specs.is_export(spec):
        raise errors.IllegalRemotePath(f"{value!r:.100} is not HOST:/PATH")
    if kind is DomainType.LOCALFS and not spec.startswith("/"):
        raise errors.IllegalRemotePath(f"{value!r:.100} is not an absolute path")
    return spec


def _domain_class(value: JSON) -> DomainClass:
    """A name or a number, which may be a string."""
    word = str(value) if isinstance(value, (str, int)) and not isinstance(value, bool) else ""
    for domain_class in (DomainClass.DATA, DomainClass.ISO, DomainClass.BACKUP):
        if word in (domain_class.label, str(domain_class.value)):
            return domain_class
    raise errors.StorageDomainClassError(f"{value!r:.40}")


def _version(value: JSON) -> int:
    if not isinstance(value, int) or value not in CREATABLE_VERSIONS:
        raise errors.UnsupportedDomainVersion(f"{value!r:.40} cannot be created")
    return value


def _block_size(value: JSON, version: int, kind: DomainType) -> int:
    allowed = (BLOCK_SIZE,) if version < 5 else _BLOCK_SIZES[kind]
    if not isinstance(value, int) or value not in allowed:
        raise errors.InvalidParameter("blockSize", f"{value!r:.40} is none of {allowed}")
    return value


def _max_hosts(value: JSON) -> int:
    if not isinstance(value, int) or not 1 <= value <= MAX_HOSTS:
        raise errors.InvalidParameter("maxHosts", f"{value!r:.40} is not within 1 and {MAX_HOSTS}")
    return value
