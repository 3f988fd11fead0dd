# SPDX-License-Identifier: GPL-2.0-or-later
"""dom_md/metadata of a file domain: sorted `KEY=VALUE` lines, sealed by a last one, `_SHA_CKSUM`.

The checksum is SHA-1 over the lines without their ends, as ASCII with XML's character references
for the rest. oVirt trusts a file without a checksum; here a file without one is torn, because
every version of the format has it, as the last line. Source: upstream-vdsm 5.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Final

from vdsm.storage import errors
from vdsm.storage.domain_types import DomainType
from vdsm.storage.model import (
    ALIGNMENT,
    BLANK_UUID,
    BLOCK_SIZE,
    MIB,
    READABLE_VERSIONS,
    DomainClass,
    DomainMetadata,
    DomainStatus,
    PoolMetadata,
    Role,
    is_uuid,
)

CHECKSUM: Final = "_SHA_CKSUM"

BLOCK_SIZES: Final = (512, 4096)
ALIGNMENTS: Final = (MIB, 2 * MIB, 4 * MIB, 8 * MIB)

_KEYS: Final = frozenset(
    {
        *("VERSION", "SDUUID", "TYPE", "ROLE", "DESCRIPTION", "CLASS", "POOL_UUID", "REMOTE_PATH"),
        *("LOCKPOLICY", "LOCKRENEWALINTERVALSEC", "LEASETIMESEC", "IOOPTIMEOUTSEC", "LEASERETRIES"),
        *("ALIGNMENT", "BLOCK_SIZE"),
    }
)
_POOL_KEYS: Final = frozenset(
    {"POOL_DESCRIPTION", "POOL_DOMAINS", "POOL_SPM_ID", "POOL_SPM_LVER", "MASTER_VERSION"}
)

_TYPES: Final = {
    kind: "POSIXFS" if kind is DomainType.SHAREDFS else kind.name for kind in DomainType
}
_INTEGER = re.compile(r"-?[0-9]{1,18}")
_LINE_ENDS = re.compile(r"[\n\r\v\f\x1c-\x1e\x85\u2028\u2029\0]")


def type_name(kind: DomainType) -> str:
    """oVirt's word for a type in metadata and in answers; SHAREDFS of the API is POSIXFS there."""
    return _TYPES[kind]


def decode(data: bytes, path: str) -> DomainMetadata:
    """Reads a metadata file; `path` is for messages.

    Raises MetadataSealIsBroken for what is torn or changed by hand, MetadataKeyNotFound,
    MetadataKeyError, MetadataValidationError, and UnsupportedDomainVersion for a version that this
    release cannot read.
    """
    values = _Values(_unseal(data, path), path)
    version = values.number("VERSION")
    if version not in READABLE_VERSIONS:
        raise errors.UnsupportedDomainVersion(f"{path}: version {version}")
    alignment = values.number("ALIGNMENT", ALIGNMENT)
    block_size = values.number("BLOCK_SIZE", BLOCK_SIZE)
    _check_blocks(version, alignment, block_size, path)
    return DomainMetadata(
        uuid=values.uuid("SDUUID"),
        version=version,
        kind=values.kind(),
        role=values.role(),
        domain_class=values.domain_class(),
        description=values.text("DESCRIPTION"),
        remote_path=values.text("REMOTE_PATH", ""),
        pools=values.pools(),
        lock_policy=values.text("LOCKPOLICY", ""),
        lock_renewal_interval_s=values.number("LOCKRENEWALINTERVALSEC", 5),
        lease_time_s=values.number("LEASETIMESEC", 60),
        io_op_timeout_s=values.number("IOOPTIMEOUTSEC", 10),
        lease_retries=values.number("LEASERETRIES", 3),
        alignment=alignment,
        block_size=block_size,
        pool=values.pool(),
        extra=values.others(),
    )


def encode(metadata: DomainMetadata) -> bytes:
    """The file of `metadata`. Raises MetadataValidationError for a value that no line can hold."""
    _check_blocks(metadata.version, metadata.alignment, metadata.block_size, metadata.uuid)
    values = {
        "VERSION": str(metadata.version),
        "SDUUID": metadata.uuid,
        "TYPE": type_name(metadata.kind),
        "ROLE": metadata.role.value,
        "DESCRIPTION": metadata.description,
        "CLASS": metadata.domain_class.label,
        "POOL_UUID": ",".join(metadata.pools),
        "LOCKPOLICY": metadata.lock_policy,
        "LOCKRENEWALINTERVALSEC": str(metadata.lock_renewal_interval_s),
        "LEASETIMESEC": str(metadata.lease_time_s),
        "IOOPTIMEOUTSEC": str(metadata.io_op_timeout_s),
        "LEASERETRIES": str(metadata.lease_retries),
        "REMOTE_PATH": metadata.remote_path,
    }
    if metadata.version >= 5:
        values["ALIGNMENT"] = str(metadata.alignment)
        values["BLOCK_SIZE"] = str(metadata.block_size)
    if metadata.pool is not None:
        values |= _pool_values(metadata.pool)
    for key, value in metadata.extra.items():
        if key in _KEYS | _POOL_KEYS | {CHECKSUM} or not key or "=" in key:
            raise errors.MetadataValidationError(f"{metadata.uuid}: key {key!r:.60}")
        values[key] = value
    return _seal(values, metadata.uuid)


# --- lines ----------------------------------------------------------------------------------------


def _checksum(lines: list[str]) -> str:
    text = "".join(lines).encode("ascii", "xmlcharrefreplace")
    return hashlib.sha1(text, usedforsecurity=False).hexdigest()


def _lines(values: Mapping[str, str]) -> list[str]:
    return [f"{key}={value}" for key, value in sorted(values.items())]


def _seal(values: Mapping[str, str], what: str) -> bytes:
    for key, value in values.items():
        if _LINE_ENDS.search(key) or _LINE_ENDS.search(value):
            raise errors.MetadataValidationError(f"{what}: {key!r:.60} has a line end or a NUL")
    lines = _lines(values)
    try:
        return "".join(f"{line}\n" for line in [*lines, f"{CHECKSUM}={_checksum(lines)}"]).encode()
    except UnicodeEncodeError as error:
        raise errors.MetadataValidationError(f"{what}: not Unicode: {error.reason}") from None


def _unseal(data: bytes, path: str) -> dict[str, str]:
    """The values of a file whose checksum is right, without the checksum."""
    try:
        text = data.rstrip(b"\0").decode()
    except UnicodeDecodeError:
        raise errors.MetadataSealIsBroken(f"{path} is not UTF-8") from None
    values: dict[str, str] = {}
    for line in text.split("\n"):
        key, separator, value = line.partition("=")
        if not line:
            continue
        if not separator or not key or key in values:
            raise errors.MetadataSealIsBroken(f"{path} has the line {line!r:.60}")
        values[key] = value
    declared = values.pop(CHECKSUM, None)
    if declared is None:
        raise errors.MetadataSealIsBroken(f"{path} has no checksum")
    computed = _checksum(_lines(values))
    if declared != computed:
        raise errors.MetadataSealIsBroken(f"{path} declares {declared!r:.60} and has {computed}")
    return values


# --- values ---------------------------------------------------------------------------------------


class _Values:
    """The values of one file, read key by key; `path` is for messages."""

    def __init__(self, values: Mapping[str, str], path: str) -> None:
        self._values = values
        self._path = path

    def text(self, key: str, default: str | None = None) -> str:
        value = self._values.get(key, default)
        if value is None:
            raise errors.MetadataKeyNotFound(f"{self._path}: {key}")
        return value

    def number(self, key: str, default: int | None = None) -> int:
        """A number that is not negative. One with a default may also be empty."""
        text = self.text(key, None if default is None else "")
        if not text and default is not None:
            return default
        number = self._integer(key, text)
        if number < 0:
            raise self._wrong(key)
        return number

    def uuid(self, key: str) -> str:
        value = self.text(key).lower()
        if not is_uuid(value):
            raise self._wrong(key)
        return value

    def kind(self) -> DomainType:
        name = self.text("TYPE").upper()
        for kind, word in _TYPES.items():
            if word == name:
                return kind
        raise self._wrong("TYPE")

    def role(self) -> Role:
        try:
            return Role(self.text("ROLE").capitalize())
        except ValueError:
            raise self._wrong("ROLE") from None

    def domain_class(self) -> DomainClass:
        label = self.text("CLASS")
        for domain_class in (DomainClass.DATA, DomainClass.ISO, DomainClass.BACKUP):
            if domain_class.label == label:
                return domain_class
        raise self._wrong("CLASS")

    def pools(self) -> tuple[str, ...]:
        """Old releases wrote the blank uuid for no pool."""
        text = self.text("POOL_UUID", "")
        pools = text.lower().split(",") if text else []
        if not all(map(is_uuid, pools)):
            raise self._wrong("POOL_UUID")
        return tuple(pool for pool in pools if pool != BLANK_UUID)

    def pool(self) -> PoolMetadata | None:
        if not _POOL_KEYS & self._values.keys():
            return None
        return PoolMetadata(
            description=self.text("POOL_DESCRIPTION", ""),
            domains=self._pool_domains(),
            spm_id=self._integer("POOL_SPM_ID", self.text("POOL_SPM_ID", "-1")),
            spm_lver=self._integer("POOL_SPM_LVER", self.text("POOL_SPM_LVER", "-1")),
            master_version=self._integer("MASTER_VERSION", self.text("MASTER_VERSION", "0")),
        )

    def others(self) -> dict[str, str]:
        return {key: value for key, value in self._values.items() if key not in _KEYS | _POOL_KEYS}

    def _pool_domains(self) -> dict[str, DomainStatus]:
        """`uuid:Status,...`; old releases put quotes around both and knew Inactive."""
        domains: dict[str, DomainStatus] = {}
        text = self.text("POOL_DOMAINS", "")
        for item in text.split(",") if text else []:
            domain, _, word = item.partition(":")
            domain, word = domain.strip("'").lower(), word.strip("'").capitalize()
            if not is_uuid(domain) or domain in domains:
                raise self._wrong("POOL_DOMAINS")
            try:
                domains[domain] = DomainStatus("Attached" if word == "Inactive" else word)
            except ValueError:
                raise self._wrong("POOL_DOMAINS") from None
        return domains

    def _integer(self, key: str, text: str) -> int:
        if not _INTEGER.fullmatch(text):
            raise self._wrong(key)
        return int(text)

    def _wrong(self, key: str) -> errors.MetadataKeyError:
        return errors.MetadataKeyError(f"{self._path}: {key}={self._values.get(key, '')!r:.80}")


def _pool_values(pool: PoolMetadata) -> dict[str, str]:
    domains = (f"{uuid}:{status}" for uuid, status in pool.domains.items())
    return {
        "POOL_DESCRIPTION": pool.description,
        "POOL_DOMAINS": ",".join(domains),
        "POOL_SPM_ID": str(pool.spm_id),
        "POOL_SPM_LVER": str(pool.spm_lver),
        "MASTER_VERSION": str(pool.master_version),
    }


def _check_blocks(version: int, alignment: int, block_size: int, what: str) -> None:
    if version < 5 and (alignment, block_size) != (ALIGNMENT, BLOCK_SIZE):
        raise errors.MetadataValidationError(
            f"{what}: version {version} has neither blocks of {block_size} bytes nor alignment"
            f" {alignment}"
        )
    if alignment not in ALIGNMENTS or block_size not in BLOCK_SIZES:
        raise errors.MetadataValidationError(
            f"{what}: blocks of {block_size} bytes with alignment {alignment}"
        )
