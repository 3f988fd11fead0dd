# SPDX-License-Identifier: GPL-2.0-or-later
"""What an external lease says of itself: the job that it is for, in sanlock's block for its users.

JSON of oVirt's JobMetadata, filled with NUL to a sector; only NULs: no metadata. sanlock reads the
block when the lease is taken and writes it when the lease is given back.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from vdsm.jsonrpc.errors import JSON
from vdsm.storage import errors, model

MAX_NUMBER: Final = (1 << 63) - 1
_TYPE: Final = "JOB"


class LeaseJobStatus(StrEnum):
    """FENCED: nobody may begin this job any more."""

    PENDING = "PENDING"
    FAILED = "FAILED"
    SUCCEEDED = "SUCCEEDED"
    FENCED = "FENCED"


class LeaseMetadataError(ValueError):
    """The block is not metadata; the message says why."""


@dataclass(frozen=True, slots=True)
class LeaseMetadata:
    """`generation` counts what was done under the lease; `created` and `modified` are in seconds
    since 1970; `host` is the hardware id of the host that works on the job."""

    job: str
    status: LeaseJobStatus
    generation: int
    created: int | None = None
    modified: int | None = None
    host: str | None = None

    def __str__(self) -> str:
        return f"{self.status} job {self.job}, generation {self.generation}"

    def answer(self) -> dict[str, JSON]:
        """oVirt's JobMetadata; what is not known is left out."""
        fields: dict[str, JSON] = {
            "type": _TYPE,
            "job_id": self.job,
            "job_status": self.status.value,
            "generation": self.generation,
            "created": self.created,
            "modified": self.modified,
            "host_hardware_id": self.host,
        }
        return {name: value for name, value in fields.items() if value is not None}


def parse(value: JSON, name: str = "metadata") -> LeaseMetadata:
    """Reads what the API was given. Raises errors.InvalidParameter."""
    if not isinstance(value, dict):
        raise errors.InvalidParameter(name, "expected an object")
    if value.get("type") != _TYPE:
        raise errors.InvalidParameter(f"{name}.type", f"expected {_TYPE}")
    status = value.get("job_status")
    if status not in list(LeaseJobStatus):
        known = ", ".join(LeaseJobStatus)
        raise errors.InvalidParameter(f"{name}.job_status", f"expected one of: {known}")
    generation = _number(value, "generation", name)
    if generation is None:
        raise errors.InvalidParameter(f"{name}.generation", "expected a number")
    host = value.get("host_hardware_id")
    return LeaseMetadata(
        model.uuid(value.get("job_id"), f"{name}.job_id"),
        LeaseJobStatus(str(status)),
        generation,
        _number(value, "created", name),
        _number(value, "modified", name),
        None if host is None else model.uuid(host, f"{name}.host_hardware_id"),
    )


def _number(value: Mapping[str, JSON], key: str, name: str) -> int | None:
    number = value.get(key)
    if number is None:
        return None
    if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number <= MAX_NUMBER:
        raise errors.InvalidParameter(f"{name}.{key}", f"{number!r:.40} is not a number from 0 on")
    return number


def dump(metadata: LeaseMetadata, size: int) -> bytes:
    """A block of `size` bytes. Raises LeaseMetadataError when it does not fit."""
    data = json.dumps(metadata.answer(), sort_keys=True).encode()
    if len(data) > size:
        raise LeaseMetadataError(f"{len(data)} bytes of metadata do not fit into {size}")
    return data.ljust(size, b"\0")


def load(block: bytes) -> LeaseMetadata | None:
    """Reads a block. Raises LeaseMetadataError."""
    data = block.rstrip(b"\0")
    if not data:
        return None
    try:
        return parse(json.loads(data))
    except (ValueError, RecursionError, errors.InvalidParameter) as error:
        raise LeaseMetadataError(f"{data!r:.60} is not metadata of a lease: {error}") from None


def fenced(now: LeaseMetadata | None, wanted: LeaseMetadata, time_s: int) -> LeaseMetadata:
    """The metadata of a lease whose job may not begin any more. `wanted` names the job and the
    generation that the caller knows. Raises errors.GenerationMismatch when the lease is for another
    job, or when something was done meanwhile: then there is nothing left to fence."""
    if (
        now is None
        or (now.job, now.generation) != (wanted.job, wanted.generation)
        or now.status is not LeaseJobStatus.PENDING
    ):
        raise errors.GenerationMismatch(
            f"the lease is for {now or 'no job'}, and not for a pending job {wanted.job}, "
            f"generation {wanted.generation}"
        )
    return replace(
        now, status=LeaseJobStatus.FENCED, generation=now.generation + 1, modified=time_s
    )
