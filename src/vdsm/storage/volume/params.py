# SPDX-License-Identifier: GPL-2.0-or-later
"""The parameters of Volume.*, read: what an engine sent becomes values. Pure.

All functions raise errors.InvalidParameter (1000), or the error named, that says which parameter.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, TypeVar

from vdsm.jsonrpc.errors import JSON
from vdsm.storage import errors, model
from vdsm.storage.model import (
    BLANK_UUID,
    BLOCK_SIZE,
    Allocation,
    Format,
    Legality,
    VolumeId,
    VolumeType,
)
from vdsm.storage.volume.copying import Copy
from vdsm.storage.volume.creation import NewVolume

Params = Mapping[str, JSON]

MAX_SIZE: Final = (1 << 63) - BLOCK_SIZE
"""Bytes: an offset in a file is a signed number of 64 bits."""

_MAX_SEQUENCE: Final = (1 << 31) - 1
_DIGITS = re.compile(r"[0-9]{1,19}", re.ASCII)

_FORMATS: Final = {"RAW": Format.RAW, "5": Format.RAW, "COW": Format.COW, "4": Format.COW}
_ALLOCATIONS: Final = {
    "PREALLOCATED": Allocation.PREALLOCATED,
    "1": Allocation.PREALLOCATED,
    "SPARSE": Allocation.SPARSE,
    "2": Allocation.SPARSE,
}
_ROLES: Final = {
    "SHARED": VolumeType.SHARED,
    "6": VolumeType.SHARED,
    "LEAF": VolumeType.LEAF,
    "8": VolumeType.LEAF,
}

Word = TypeVar("Word")


def volume_id(params: Params) -> VolumeId:
    """Also refuses a pool that is no UUID, where the volume is found without it."""
    if "storagepoolID" in params:
        _uuid(params, "storagepoolID", blank=True)
    return VolumeId(
        _uuid(params, "storagedomainID"), _uuid(params, "imageID"), _uuid(params, "volumeID")
    )


def copy_target(params: Params) -> VolumeId:
    """Without a domain of its own the copy goes to the one of the source."""
    domain = _uuid(params, "dstSdUUID", blank=True)
    return VolumeId(
        _uuid(params, "storagedomainID") if domain == BLANK_UUID else domain,
        _uuid(params, "dstImgUUID"),
        _uuid(params, "dstVolUUID"),
    )


def pool(params: Params) -> str:
    return _uuid(params, "storagepoolID")


def new_volume(params: Params) -> NewVolume:
    """Of Volume.create. Raises IncorrectFormat, IncorrectAllocation."""
    volume = volume_id(params)
    bitmap = params.get("bitmap")
    initial = params.get("initialSize")
    return NewVolume(
        capacity=size(params, "size"),
        format=volume_format(params, "volFormat"),
        allocation=_allocation(params),
        disk_type=_text(params, "diskType"),
        description=_text(params, "desc"),
        parent=_parent(params, volume),
        initial_size=None if initial in (None, "", "0") else size(params, "initialSize"),
        legality=Legality.ILLEGAL if params.get("legal", True) is False else Legality.LEGAL,
        sequence=_sequence(params.get("sequence", 0)),
        add_bitmaps=params.get("addBitmaps", False) is True,
        bitmap=None if bitmap is None else model.uuid(bitmap, "bitmap"),
    )


def copy(params: Params) -> Copy:
    """Of Volume.copy. Raises IncorrectFormat, IncorrectAllocation."""
    role = str(params.get("volType"))
    if role not in _ROLES:
        raise errors.InvalidParameter("volType", "a copy is SHARED or LEAF")
    return Copy(
        description=_text(params, "desc"),
        volume_type=_ROLES[role],
        format=volume_format(params, "volFormat"),
        allocation=_allocation(params),
        force=params.get("force") is True,
    )


def size(params: Params, name: str) -> int:
    """Bytes as text, rounded up to blocks of 512."""
    value = params.get(name)
    if isinstance(value, str) and _DIGITS.fullmatch(value) and int(value) <= MAX_SIZE:
        return -(-int(value) // BLOCK_SIZE) * BLOCK_SIZE
    raise errors.InvalidParameter(name, f"{value!r:.40} is no number of bytes up to {MAX_SIZE}")


def volume_format(params: Params, name: str) -> Format:
    word = str(params.get(name))
    if word not in _FORMATS:
        raise errors.IncorrectFormat(f"{name}: {word:.40}")
    return _FORMATS[word]


def base(params: Params) -> str | None:
    """Of Volume.measure."""
    value = params.get("baseID")
    return None if value in (None, "", BLANK_UUID) else model.uuid(value, "baseID")


def legality(params: Params) -> Legality:
    try:
        return Legality(str(params.get("legality")))
    except ValueError:
        raise errors.InvalidParameter("legality", "expected LEGAL, ILLEGAL or FAKE") from None


def description(params: Params) -> str:
    return _text(params, "description")


def refuse_discard(params: Params) -> None:
    """Raises DiscardIsNotSupported: a file system frees what is removed anyway."""
    if params.get("discard") is True:
        raise errors.DiscardIsNotSupported("a file domain")


def _allocation(params: Params) -> Allocation:
    word = str(params.get("preallocate"))
    if word not in _ALLOCATIONS:
        raise errors.IncorrectAllocation(f"preallocate: {word:.40}")
    return _ALLOCATIONS[word]


def _parent(params: Params, volume: VolumeId) -> VolumeId | None:
    """Without an image of its own the parent is in the volume's."""
    parent = _uuid(params, "srcVolUUID", blank=True)
    image = _uuid(params, "srcImgUUID", blank=True)
    if parent == BLANK_UUID:
        return None
    return VolumeId(volume.domain, volume.image if image == BLANK_UUID else image, parent)


def _uuid(params: Params, name: str, *, blank: bool = False) -> str:
    value = params.get(name)
    if blank and value in (None, ""):
        return BLANK_UUID
    uuid = model.uuid(value, name)
    if uuid == BLANK_UUID and not blank:
        raise errors.InvalidParameter(name, "it is the blank UUID")
    return uuid


def _text(params: Params, name: str) -> str:
    """A value of metadata, on one line."""
    value = params.get(name)
    if not isinstance(value, str):
        raise errors.InvalidParameter(name, "expected a string")
    if any(each in value for each in "\n\r\0") or not _is_unicode(value):
        raise errors.InvalidParameter(name, "it has a character that metadata cannot hold")
    return value


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _sequence(value: JSON) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _MAX_SEQUENCE:
        raise errors.InvalidParameter("sequence", f"expected a number up to {_MAX_SEQUENCE}")
    return value
