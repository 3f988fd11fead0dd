# SPDX-License-Identifier: GPL-2.0-or-later
"""What storage is made of: domains, pools, volumes. Values only; nothing here touches a file.

Names and numbers: oVirt's (upstream-vdsm 5). Sizes are in bytes wherever nothing else is said.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, IntEnum, StrEnum
from typing import Final, TypeVar

from vdsm.jsonrpc.errors import JSON
from vdsm.storage import errors
from vdsm.storage.domain_types import DomainType

BLANK_UUID: Final = "00000000-0000-0000-0000-000000000000"
"""No pool, no parent, no template."""

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

BLOCK_SIZE: Final = 512
ALIGNMENT: Final = 1 << 20
MIB: Final = 1 << 20
GIB: Final = 1 << 30

MAX_DOMAINS_IN_POOL: Final = 2048
MAX_HOSTS: Final = 2000

READABLE_VERSIONS: Final = (0, 2, 3, 4, 5)
"""Versions of file domains that can be opened."""

CREATABLE_VERSIONS: Final = (3, 4, 5)
"""Versions that a domain can be created with."""


def uuid(value: JSON, name: str) -> str:
    """Reads a UUID, in lower case. Raises errors.InvalidParameter that names `name`."""
    if isinstance(value, str) and _UUID.fullmatch(value.lower()):
        return value.lower()
    raise errors.InvalidParameter(name, f"{value!r:.60} is not a UUID")


def is_uuid(name: str) -> bool:
    """Whether a name, such as one that a directory lists, is a UUID as oVirt writes it."""
    return _UUID.fullmatch(name) is not None


_Word = TypeVar("_Word", bound=Enum)


def _word(value: JSON, numbers: Mapping[int, _Word], name: str) -> _Word:
    """Reads a member by its name, in any case, or by oVirt's number, also in a string."""
    if isinstance(value, str):
        for member in numbers.values():
            if member.name == value.upper():
                return member
        value = int(value) if re.fullmatch("[0-9]", value, re.ASCII) else None
    if isinstance(value, int) and not isinstance(value, bool) and value in numbers:
        return numbers[value]
    known = ", ".join(f"{member.name} ({number})" for number, member in numbers.items())
    raise errors.InvalidParameter(name, f"expected one of: {known}")


class DomainClass(IntEnum):
    """What a domain is for. The file holds the name (`Data`), the API takes the number."""

    UNKNOWN = 0
    DATA = 1
    ISO = 2
    BACKUP = 3

    @property
    def label(self) -> str:
        """The name in metadata and in answers: `Data`, `Iso`, `Backup`."""
        return self.name.capitalize()

    @classmethod
    def parse(cls, value: JSON, name: str) -> DomainClass:
        """Reads what the API was given, a name or a number. Raises errors.InvalidParameter."""
        return _word(value, {int(one): one for one in cls}, name)


class Role(StrEnum):
    """The role of a domain in its pool."""

    MASTER = "Master"
    REGULAR = "Regular"


class DomainStatus(StrEnum):
    """The state of a domain in its pool, as in POOL_DOMAINS. Case: as the metadata has it."""

    UNKNOWN = "Unknown"
    ATTACHED = "Attached"
    UNATTACHED = "Unattached"
    ACTIVE = "Active"


class SpmStatus(StrEnum):
    """What this host is to the pool, as StoragePool.getSpmStatus says."""

    FREE = "Free"
    CONTEND = "Contend"
    SPM = "SPM"


class Format(StrEnum):
    """FORMAT of a volume; RAW or COW (qcow2). The API also takes 5 (RAW) and 4 (COW)."""

    RAW = "RAW"
    COW = "COW"

    @classmethod
    def parse(cls, value: JSON, name: str) -> Format:
        """Reads what the API was given, a name or a number. Raises errors.InvalidParameter."""
        return _word(value, {4: cls.COW, 5: cls.RAW}, name)


class Allocation(StrEnum):
    """TYPE of a volume. The API also takes 1 (PREALLOCATED) and 2 (SPARSE)."""

    PREALLOCATED = "PREALLOCATED"
    SPARSE = "SPARSE"

    @classmethod
    def parse(cls, value: JSON, name: str) -> Allocation:
        """Reads what the API was given, a name or a number. Raises errors.InvalidParameter."""
        return _word(value, {1: cls.PREALLOCATED, 2: cls.SPARSE}, name)


class VolumeType(StrEnum):
    """VOLTYPE: the place of a volume in its chain. The API also takes 6 SHARED, 7 INTERNAL and
    8 LEAF."""

    LEAF = "LEAF"
    INTERNAL = "INTERNAL"
    SHARED = "SHARED"

    @classmethod
    def parse(cls, value: JSON, name: str) -> VolumeType:
        """Reads what the API was given, a name or a number. Raises errors.InvalidParameter."""
        return _word(value, {6: cls.SHARED, 7: cls.INTERNAL, 8: cls.LEAF}, name)


class Legality(StrEnum):
    """LEGALITY: an ILLEGAL volume is not prepared; a FAKE one is a template that was deleted."""

    LEGAL = "LEGAL"
    ILLEGAL = "ILLEGAL"
    FAKE = "FAKE"


@dataclass(frozen=True, slots=True)
class PoolMetadata:
    """The pool's keys in the master domain's metadata (disk backend), or in memory.

    `spm_id` -1: nobody; `spm_lver` -1: never. `master_version` is of the domain that holds it.
    """

    description: str = ""
    domains: Mapping[str, DomainStatus] = field(default_factory=dict)
    spm_id: int = -1
    spm_lver: int = -1
    master_version: int = 0


@dataclass(frozen=True, slots=True)
class DomainMetadata:
    """dom_md/metadata of a file domain; format: vdsm.storage.formats.domain_metadata.

    `description` is the name that the engine gave. Lease numbers are in seconds, but for `retries`.
    `alignment` and `block_size` are of version 5; older ones have the defaults. `pool` is what only
    a master domain of the disk backend has.
    """

    uuid: str
    version: int
    kind: DomainType
    role: Role
    domain_class: DomainClass
    description: str
    remote_path: str
    pools: tuple[str, ...] = ()
    lock_policy: str = ""
    lock_renewal_interval_s: int = 5
    lease_time_s: int = 60
    io_op_timeout_s: int = 10
    lease_retries: int = 3
    alignment: int = ALIGNMENT
    block_size: int = BLOCK_SIZE
    pool: PoolMetadata | None = None
    extra: Mapping[str, str] = field(default_factory=dict)
    """Keys that this release does not know: kept as they are when the file is written again."""


@dataclass(frozen=True, slots=True)
class VolumeMetadata:
    """The `.meta` file of a volume; format: vdsm.storage.formats.volume_metadata.

    `capacity` is the virtual size in bytes; `ctime` in seconds since 1970; `generation` counts the
    SDM jobs on the volume, `sequence` its place in the order of snapshots.
    """

    capacity: int
    ctime: int
    description: str
    disk_type: str
    domain: str
    format: Format
    image: str
    legality: Legality
    parent: str
    allocation: Allocation
    volume_type: VolumeType
    generation: int = 0
    sequence: int = 0


@dataclass(frozen=True, slots=True)
class VolumeId:
    """Where a volume is: domain, image, volume."""

    domain: str
    image: str
    volume: str

    def __str__(self) -> str:
        return f"volume {self.volume} of image {self.image} in domain {self.domain}"


@dataclass(frozen=True, slots=True)
class Lease:
    """A sanlock resource: its lockspace (the domain), name, file and offset in bytes."""

    lockspace: str
    name: str
    path: str
    offset: int
