# SPDX-License-Identifier: GPL-2.0-or-later
"""Reads what an engine sends about pools. Pure; raises errors.InvalidParameter by field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from vdsm.jsonrpc.errors import JSON
from vdsm.storage import errors, model
from vdsm.storage.model import (
    CREATABLE_VERSIONS,
    MAX_DOMAINS_IN_POOL,
    MAX_HOSTS,
    DomainStatus,
)
from vdsm.storage.pool.changes import LeaseParameters

MAX_NAME = 50
"""Characters of a pool's name."""

_MAX_MASTER_VERSION = (1 << 31) - 1
_MAX_SECONDS = 86400


def host_id(value: JSON, field: str = "hostID") -> int:
    """A host id of sanlock's: 1 to 2000."""
    return integer(value, field, 1, MAX_HOSTS)


def master_version(value: JSON) -> int:
    return integer(value, "masterVersion", 0, _MAX_MASTER_VERSION)


def integer(value: JSON, field: str, least: int, most: int) -> int:
    """A whole number, also as a decimal string."""
    if isinstance(value, str):
        try:
            value = int(value)
        except ValueError:
            raise errors.InvalidParameter(field, f"{value!r:.40} is not a number") from None
    if isinstance(value, bool) or not isinstance(value, int):
        raise errors.InvalidParameter(field, f"{value!r:.40} is not a number")
    if not least <= value <= most:
        raise errors.InvalidParameter(field, f"{value!r:.40} is not {least} to {most}")
    return value


def name(value: JSON, field: str) -> str:
    """A pool's name. Raises also StoragePoolDescriptionTooLong."""
    if not isinstance(value, str):
        raise errors.InvalidParameter(field, f"{value!r:.40} is not a text")
    if len(value) > MAX_NAME:
        raise errors.StoragePoolDescriptionTooLong(f"{len(value)} characters, {MAX_NAME} at most")
    if any(not character.isprintable() for character in value):
        raise errors.InvalidParameter(field, "it has characters that cannot be printed")
    return value


def domain_list(value: JSON, field: str = "domainList") -> tuple[str, ...]:
    """UUIDs of domains, each once. Raises also TooManyDomainsInPool."""
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise errors.InvalidParameter(field, "it is not a list")
    _refuse_too_many(len(value))
    return tuple(dict.fromkeys(model.uuid(one, field) for one in value))


def domain_map(value: JSON, field: str = "domainDict") -> dict[str, DomainStatus]:
    """Domains and their states, in any case. Raises also TooManyDomainsInPool."""
    if not isinstance(value, Mapping):
        raise errors.InvalidParameter(field, "it is not a map")
    _refuse_too_many(len(value))
    return {model.uuid(uuid, field): _status(status, field) for uuid, status in value.items()}


def version(value: JSON, field: str) -> int:
    """A version that a domain can be upgraded to. Raises also UnsupportedDomainVersion."""
    number = integer(value, field, 0, 1000)
    if number not in CREATABLE_VERSIONS:
        raise errors.UnsupportedDomainVersion(f"{field}: {number}")
    return number


def lease_parameters(params: Mapping[str, JSON]) -> LeaseParameters:
    """The four numbers that StoragePool.create and reconstructMaster take."""

    def number(field: str) -> int:
        return integer(params.get(field), field, 1, _MAX_SECONDS)

    return LeaseParameters(
        renewal_interval_s=number("lockRenewalIntervalSec"),
        lease_time_s=number("leaseTimeSec"),
        io_op_timeout_s=number("ioOpTimeoutSec"),
        retries=number("leaseRetries"),
    )


def _status(value: JSON, field: str) -> DomainStatus:
    try:
        return DomainStatus(str(value).capitalize())
    except ValueError:
        raise errors.InvalidParameter(field, f"{value!r:.40} is no state of a domain") from None


def _refuse_too_many(count: int) -> None:
    if count > MAX_DOMAINS_IN_POOL:
        raise errors.TooManyDomainsInPool(f"{count}, {MAX_DOMAINS_IN_POOL} at most")
