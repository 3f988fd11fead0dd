# SPDX-License-Identifier: GPL-2.0-or-later
"""Netlink attributes: type, length, value, each on a boundary of four bytes. No I/O.

Source: netlink(7), <linux/netlink.h> (struct nlattr). Numbers are in the host's byte order, but for
those that the kernel marks as big-endian.
"""

import ipaddress
import struct
from collections.abc import Iterator
from typing import Final, TypeAlias

Buffer: TypeAlias = bytes | memoryview

HEADER: Final = struct.Struct("=HH")
"""Length with this header, and type."""
_TYPE_MASK: Final = 0x3FFF
"""Without NLA_F_NESTED and NLA_F_NET_BYTEORDER."""
_NESTED: Final = 0x8000


def walk(data: Buffer, offset: int = 0) -> Iterator[tuple[int, memoryview]]:
    """Give each attribute's type and value, from `offset` to the end of `data`.

    Ends at an attribute that claims to be longer than what is there.
    """
    view = memoryview(data)
    end = len(view)
    while offset + HEADER.size <= end:
        length, kind = HEADER.unpack_from(view, offset)
        if length < HEADER.size or offset + length > end:
            return
        yield kind & _TYPE_MASK, view[offset + HEADER.size : offset + length]
        offset += aligned(length)


def table(data: Buffer, offset: int = 0) -> dict[int, memoryview]:
    """Return the attributes by their type; the last one of each."""
    return dict(walk(data, offset))


def aligned(length: int) -> int:
    """Round up to a boundary of four bytes."""
    return (length + 3) & ~3


def attribute(kind: int, value: Buffer) -> bytes:
    """Pack one attribute."""
    length = HEADER.size + len(value)
    return HEADER.pack(length, kind) + bytes(value) + bytes(-length % 4)


def nested(kind: int, *parts: bytes) -> bytes:
    """Pack attributes, packed already, into one."""
    return attribute(kind | _NESTED, b"".join(parts))


def u8(kind: int, value: int) -> bytes:
    """Pack a number of 8 bits."""
    return attribute(kind, struct.pack("=B", value))


def u16(kind: int, value: int) -> bytes:
    """Pack a number of 16 bits."""
    return attribute(kind, struct.pack("=H", value))


def be16(kind: int, value: int) -> bytes:
    """Pack a number of 16 bits in network byte order."""
    return attribute(kind, struct.pack("!H", value))


def u32(kind: int, value: int) -> bytes:
    """Pack a number of 32 bits."""
    return attribute(kind, struct.pack("=I", value))


def u64(kind: int, value: int) -> bytes:
    """Pack a number of 64 bits."""
    return attribute(kind, struct.pack("=Q", value))


def text(kind: int, value: str) -> bytes:
    """Pack a string with the NUL that ends it."""
    return attribute(kind, value.encode() + b"\0")


def hwaddr(kind: int, value: str) -> bytes:
    """Pack a hardware address of bytes in hexadecimal with colons."""
    return attribute(kind, bytes.fromhex(value.replace(":", "")))


def ip(kind: int, value: str) -> bytes:
    """Pack an IP address of either version."""
    return attribute(kind, ipaddress.ip_address(value).packed)


def number(value: Buffer) -> int:
    """Unpack an unsigned number of any width."""
    return int.from_bytes(value, "little" if _LITTLE else "big")


def string(value: Buffer) -> str:
    """Unpack a string, up to the NUL that ends it."""
    return bytes(value).partition(b"\0")[0].decode(errors="replace")


def colons(value: Buffer) -> str:
    """Unpack a hardware address."""
    return bytes(value).hex(":")


_LITTLE: Final = struct.pack("=H", 1) == b"\1\0"
