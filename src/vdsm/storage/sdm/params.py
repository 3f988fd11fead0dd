# SPDX-License-Identifier: GPL-2.0-or-later
"""The parameters of SDM.*, read: JSON that anybody may have sent becomes values.

All functions raise errors.InvalidParameter that names the member, such as `vol_info.sd_id`.
Shapes: CopyDataDIVEndpoint, SubchainInfo, VolumeAttributes, Qcow2Attributes of oVirt's API.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeVar

from vdsm.jsonrpc.errors import JSON
from vdsm.storage import errors, model
from vdsm.storage.formats.volume_metadata import MAX_GENERATION
from vdsm.storage.model import Allocation, Format, Legality, VolumeId, VolumeType
from vdsm.storage.volume.volumes import NewVolume

MAX_SIZE: Final = 1 << 53
"""Bytes of a volume at most, more than any file system has; a JSON number is exact up to here."""

MAX_BITMAP_NAME: Final = 1023
"""Bytes: qcow2's limit."""

_COMPATS: Final = {"0.10": "0.10", "0.1": "0.10", "1.1": "1.1"}
_FORMATS: Final = {"RAW": Format.RAW, "COW": Format.COW, "5": Format.RAW, "4": Format.COW}
_ALLOCATIONS: Final = {
    "PREALLOCATED": Allocation.PREALLOCATED,
    "SPARSE": Allocation.SPARSE,
    "1": Allocation.PREALLOCATED,
    "2": Allocation.SPARSE,
}

Word = TypeVar("Word", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A volume (domain, image, volume: "div"), and the generation that it must have; None: any."""

    volume: VolumeId
    generation: int | None


@dataclass(frozen=True, slots=True)
class Subchain:
    """`top` is merged into `base`, its parent."""

    top: VolumeId
    base: VolumeId
    generation: int | None
    """The one that the base must have."""


@dataclass(frozen=True, slots=True)
class Attributes:
    """What of a volume's metadata changes; None stays. `generation` is the new one."""

    generation: int | None
    description: str | None
    legality: Legality | None
    shared: bool


def endpoint(value: JSON, name: str) -> Endpoint:
    """A "div" endpoint. An "external" one is refused: vdsm's container has no network."""
    members = _object(value, name)
    kind = members.get("endpoint_type", "div")
    if kind == "external":
        raise errors.InvalidParameter(
            f"{name}.endpoint_type", "an external endpoint cannot be reached from vdsm's container"
        )
    if kind != "div":
        raise errors.InvalidParameter(f"{name}.endpoint_type", "expected div")
    return Endpoint(_volume(members, name, "vol_id"), _generation(members, name, "generation"))


def subchain(value: JSON, name: str) -> Subchain:
    members = _object(value, name)
    return Subchain(
        top=_volume(members, name, "top_id"),
        base=_volume(members, name, "base_id"),
        generation=_generation(members, name, "base_generation"),
    )


def attributes(value: JSON, name: str) -> Attributes:
    """At least one must be given; a type can only become SHARED."""
    members = _object(value, name)
    described = members.get("description") is not None
    description = _string(members, name, "description", "") if described else None
    kind = members.get("type")
    if kind not in (None, VolumeType.SHARED.value):
        raise errors.InvalidParameter(f"{name}.type", "expected SHARED")
    legality = members.get("legality")
    if legality not in (None, Legality.LEGAL.value, Legality.ILLEGAL.value):
        raise errors.InvalidParameter(f"{name}.legality", "expected LEGAL or ILLEGAL")
    changes = Attributes(
        generation=_generation(members, name, "generation"),
        description=description,
        legality=None if legality is None else Legality(str(legality)),
        shared=kind is not None,
    )
    if changes == Attributes(None, None, None, shared=False):
        raise errors.InvalidParameter(name, "there is nothing to change in it")
    return changes


def compat(value: JSON, name: str) -> str:
    """Qcow2Attributes: "0.10" or "1.1". oVirt's own schema reads the first as the number 0.1."""
    wanted = str(_object(value, name).get("compat"))
    if wanted not in _COMPATS:
        raise errors.InvalidParameter(f"{name}.compat", "expected 0.10 or 1.1")
    return _COMPATS[wanted]


def bitmap(value: JSON, name: str) -> str:
    """The name of a bitmap."""
    if not isinstance(value, str) or not value.isprintable() or not value:
        raise errors.InvalidParameter(name, "expected a name")
    if len(value.encode(errors="surrogatepass")) > MAX_BITMAP_NAME:
        raise errors.InvalidParameter(name, f"expected {MAX_BITMAP_NAME} bytes at most")
    return value


def new_volume(value: JSON, name: str) -> tuple[VolumeId, NewVolume]:
    """SDM.create_volume's vol_info. Without an allocation it is sparse, but for a RAW one with an
    initial size."""
    members = _object(value, name)
    volume = _volume(members, name, "vol_id")
    format_ = _word(members, name, "vol_format", _FORMATS)
    initial_size, parent = members.get("initial_size"), members.get("parent")
    allocation = Allocation.SPARSE
    if members.get("allocation") is not None:
        allocation = _word(members, name, "allocation", _ALLOCATIONS)
    elif format_ is Format.RAW and initial_size is not None:
        allocation = Allocation.PREALLOCATED
    return volume, NewVolume(
        capacity=_size(members.get("virtual_size"), f"{name}.virtual_size"),
        format=format_,
        allocation=allocation,
        disk_type=_string(members, name, "disk_type", "DATA"),
        description=_string(members, name, "description", ""),
        parent=None if parent is None else _parent(parent, f"{name}.parent", volume.domain),
        initial_size=None if initial_size is None else _size(initial_size, f"{name}.initial_size"),
    )


def _string(members: Mapping[str, JSON], name: str, member: str, default: str) -> str:
    value = members.get(member)
    if value is not None and not isinstance(value, str):
        raise errors.InvalidParameter(f"{name}.{member}", "expected a string")
    return default if value is None else value


def _parent(value: JSON, name: str, domain: str) -> VolumeId:
    members = _object(value, name)
    return VolumeId(
        domain,
        model.uuid(members.get("img_id"), f"{name}.img_id"),
        model.uuid(members.get("vol_id"), f"{name}.vol_id"),
    )


def _object(value: JSON, name: str) -> Mapping[str, JSON]:
    if not isinstance(value, dict):
        raise errors.InvalidParameter(name, "expected an object")
    return value


def _volume(members: Mapping[str, JSON], name: str, volume: str) -> VolumeId:
    return VolumeId(
        *(model.uuid(members.get(each), f"{name}.{each}") for each in ("sd_id", "img_id", volume))
    )


def _generation(members: Mapping[str, JSON], name: str, member: str) -> int | None:
    value = members.get(member)
    if value is None:
        return None
    return _number(value, f"{name}.{member}", MAX_GENERATION)


def _size(value: JSON, name: str) -> int:
    return _number(value, name, MAX_SIZE)


def _number(value: JSON, name: str, most: int) -> int:
    """Numbers may come as text, as engines send them."""
    if isinstance(value, str) and value.isascii() and value.isdecimal():
        value = int(value) if len(value) < 20 else most + 1
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
        raise errors.InvalidParameter(name, f"expected a number from 0 to {most}")
    return value


def _word(members: Mapping[str, JSON], name: str, member: str, words: Mapping[str, Word]) -> Word:
    value = members.get(member)
    if isinstance(value, str | int) and str(value).upper() in words:
        return words[str(value).upper()]
    raise errors.InvalidParameter(f"{name}.{member}", f"expected one of {', '.join(words)}")
