# SPDX-License-Identifier: GPL-2.0-or-later
"""The `.meta` file of a volume: sorted `KEY=VALUE` lines and `EOF`, at most 512 bytes of UTF-8.

Version 5 keeps the virtual size as CAP in bytes and has SEQ; older versions keep it as SIZE in
blocks of 512 bytes, and MTIME, which is always 0. Reading takes either, whatever the version of the
domain, as oVirt does. Everything here is pure. Format: upstream-vdsm 5.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final, TypeVar

from vdsm.storage import errors
from vdsm.storage.model import (
    BLOCK_SIZE,
    Allocation,
    Format,
    Legality,
    VolumeMetadata,
    VolumeType,
)

MAX_SIZE: Final = 512
"""Bytes of a file at most: a block of the oldest domains."""

MAX_DESCRIPTION: Final = 210
"""Characters; what is longer is cut, because engines send it and cannot be refused."""

MAX_GENERATION: Final = 999
"""After it comes 0."""

_CAP_VERSION = 5
_END = "EOF"
_CLEARED = "NONE"
_INTEGER = re.compile(r"[+-]?[0-9]{1,20}", re.ASCII)

Value = TypeVar("Value")


def decode(data: bytes, path: str) -> VolumeMetadata:
    """Reads a `.meta` file; `path` is where it was found, and is named in every error.

    Unknown keys, lines without `=` and zeros after the end are skipped; GEN and SEQ may be missing.
    Raises VolumeMetadataReadError (torn, cleared, not UTF-8), MetadataKeyNotFound,
    MetadataKeyError (a value that is not what its key asks for).
    """
    fields = _fields(data, path)
    return VolumeMetadata(
        capacity=_capacity(fields, path),
        ctime=_get(fields, "CTIME", _integer, path),
        description=_get(fields, "DESCRIPTION", str, path)[:MAX_DESCRIPTION],
        disk_type=_get(fields, "DISKTYPE", str, path),
        domain=_get(fields, "DOMAIN", str, path),
        format=_get(fields, "FORMAT", Format, path),
        image=_get(fields, "IMAGE", str, path),
        legality=_get(fields, "LEGALITY", Legality, path),
        parent=_get(fields, "PUUID", str, path),
        allocation=_get(fields, "TYPE", Allocation, path),
        volume_type=_get(fields, "VOLTYPE", VolumeType, path),
        generation=_get({"GEN": "0"} | fields, "GEN", _integer, path),
        sequence=_get({"SEQ": "0"} | fields, "SEQ", _integer, path),
    )


def encode(metadata: VolumeMetadata, version: int) -> bytes:
    """The file of a domain of this version. The description is cut to MAX_DESCRIPTION.

    Raises MetadataOverflow when it is longer than MAX_SIZE, and MetadataValidationError for a text
    that cannot be a value: one with a line break would become a key of its own.
    """
    fields: dict[str, object] = {
        "CTIME": metadata.ctime,
        "DESCRIPTION": metadata.description[:MAX_DESCRIPTION],
        "DISKTYPE": metadata.disk_type,
        "DOMAIN": metadata.domain,
        "FORMAT": metadata.format,
        "GEN": metadata.generation,
        "IMAGE": metadata.image,
        "LEGALITY": metadata.legality,
        "PUUID": metadata.parent,
        "TYPE": metadata.allocation,
        "VOLTYPE": metadata.volume_type,
    }
    if version >= _CAP_VERSION:
        fields |= {"CAP": metadata.capacity, "SEQ": metadata.sequence}
    else:
        fields |= {"MTIME": 0, "SIZE": metadata.capacity // BLOCK_SIZE}
    lines = [f"{key}={_value(key, fields[key])}\n" for key in sorted(fields)]
    try:
        data = "".join([*lines, f"{_END}\n"]).encode()
    except UnicodeEncodeError:
        raise errors.MetadataValidationError("a value is not a text that UTF-8 can hold") from None
    if len(data) > MAX_SIZE:
        raise errors.MetadataOverflow(f"{len(data)} bytes, of {MAX_SIZE} that a volume's may have")
    return data


def next_generation(generation: int) -> int:
    return (generation + 1) % (MAX_GENERATION + 1)


def _fields(data: bytes, path: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    for raw in data.rstrip(b"\0").splitlines():
        try:
            line = raw.decode()
        except UnicodeDecodeError:
            raise errors.VolumeMetadataReadError(f"{path} has a line that is not UTF-8") from None
        if line.startswith(_END):
            break
        key, equals, value = line.partition("=")
        if equals:
            fields[key.strip()] = value.strip()
    else:
        raise errors.VolumeMetadataReadError(f"{path} is torn: it has no {_END}")
    if _CLEARED in fields:
        # Old releases wrote this over the metadata of a volume before they removed it.
        raise errors.VolumeMetadataReadError(f"{path} was cleared: the volume is partly deleted")
    return fields


def _get(fields: Mapping[str, str], key: str, read: Callable[[str], Value], path: str) -> Value:
    try:
        return read(fields[key])
    except KeyError:
        raise errors.MetadataKeyNotFound(f"{path} has no {key}") from None
    except ValueError:
        raise errors.MetadataKeyError(f"{path}: {key}={fields[key]!r:.60}") from None


def _capacity(fields: Mapping[str, str], path: str) -> int:
    if "SIZE" in fields and "CAP" not in fields:
        return _get(fields, "SIZE", _integer, path) * BLOCK_SIZE
    return _get(fields, "CAP", _integer, path)


def _integer(text: str) -> int:
    if not _INTEGER.fullmatch(text):
        raise ValueError(text)
    return int(text)


def _value(key: str, value: object) -> str:
    text = str(value)
    if any(character in text for character in "\n\r\0"):
        raise errors.MetadataValidationError(f"{key} has a line break")
    return text
