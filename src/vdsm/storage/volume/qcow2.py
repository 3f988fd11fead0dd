# SPDX-License-Identifier: GPL-2.0-or-later
"""The header of a qcow2 image, read by ourselves before qemu-img is let near what a user uploaded.

Source: docs/interop/qcow2.txt of QEMU. Numbers are big-endian. Everything here is pure.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from typing import Final

MAGIC: Final = b"QFI\xfb"

HEADER_SIZE: Final = 1 << 16
"""As much of a file as `read_header` wants: the name of a backing file is in the first cluster."""

MAX_NAME: Final = 1023

_V2 = struct.Struct(">4sIQIIQ")
_FEATURES = struct.Struct(">Q")
_FEATURES_OFFSET = 72
_EXTERNAL_DATA = 1 << 2
_BESIDE = re.compile(r"(\.\./[0-9a-f-]+/)?[0-9A-Za-z_.-]+")


class BadHeader(Exception):
    """The header cannot be one that vdsm or qemu-img wrote for a volume."""


@dataclass(frozen=True, slots=True)
class Header:
    """`compat` is "0.10" or "1.1"; `backing` the name of the backing file; `virtual_size` in bytes;
    `external_data` whether the data is in another file, which the header names."""

    compat: str
    virtual_size: int
    backing: str | None
    external_data: bool


def is_qcow2(data: bytes) -> bool:
    """Whether a file that begins so is one, whatever else may be wrong with it."""
    return data.startswith(MAGIC)


def leads_out(data: bytes) -> bool:
    """Whether a file that begins so names another one for its data, or is based on anything but a
    file beside it or in the directory of another image; not so when it is broken."""
    try:
        header = read_header(data)
    except BadHeader:
        return False
    return header.external_data or not _BESIDE.fullmatch(header.backing or "beside")


def read_header(data: bytes) -> Header:
    """Reads the first HEADER_SIZE bytes of a file (or all of a shorter one). Raises BadHeader."""
    if len(data) < _V2.size:
        raise BadHeader("it is too short")
    magic, version, offset, length, _cluster_bits, size = _V2.unpack_from(data)
    if magic != MAGIC:
        raise BadHeader("it is no qcow2 image")
    if version not in (2, 3):
        raise BadHeader(f"version {version} is unknown")
    features = 0
    if version == 3:
        if len(data) < _FEATURES_OFFSET + _FEATURES.size:
            raise BadHeader("it is too short")
        (features,) = _FEATURES.unpack_from(data, _FEATURES_OFFSET)
    return Header(
        compat="0.10" if version == 2 else "1.1",
        virtual_size=size,
        backing=_backing(data, offset, length),
        external_data=bool(features & _EXTERNAL_DATA),
    )


def _backing(data: bytes, offset: int, length: int) -> str | None:
    if not offset:
        return None
    if length > MAX_NAME or offset + length > len(data):
        raise BadHeader("the name of its backing file is not where it should be")
    try:
        return data[offset : offset + length].decode()
    except UnicodeDecodeError:
        raise BadHeader("the name of its backing file is no text") from None
