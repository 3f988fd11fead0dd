# SPDX-License-Identifier: GPL-2.0-or-later
"""Netlink attributes: type, length, value, each on a boundary of four bytes. No I/O.

Source: netlink(7), <linux/netlink.h> (struct nlattr). Numbers are in the host's byte order, but for
those that the kernel marks as big-endian.
"""

import ipaddress
import socket
import struct
from collections.abc import Container, Iterator
from typing import Final, TypeAlias

Buffer: TypeAlias = bytes | memoryview

HEADER: Final = struct.Struct("=HH")
"""Length with this header, and type."""
TYPE_MASK: Final = 0x3FFF
"""Without NLA_F_NESTED and NLA_F_NET_BYTEORDER."""
_NESTED: Final = 0x8000
_IPV4_BYTES: Final = 4


def select(data: Buffer, offset: int, wanted: Container[int]) -> dict[int, memoryview]:
    """Return the values of the attributes from `offset` to the end whose type is `wanted`.

    Of one that comes twice, the last. Ends at an attribute that claims to be longer than what is
    there.
    """
    view = memoryview(data)
    end = len(view)
    last = end - HEADER.size
    found = {}
    unpack = HEADER.unpack_from
    while offset <= last:
        length, kind = unpack(view, offset)
        after = offset + length
        if length < 4 or after > end:
            break
        kind &= TYPE_MASK
        if kind in wanted:
            found[kind] = view[offset + 4 : after]
        offset = (after + 3) & ~3
    return found


def walk(data: Buffer, offset: int = 0) -> Iterator[tuple[int, memoryview]]:
    """Give type and value of every attribute, as `select` finds them."""
    view = memoryview(data)
    while offset + HEADER.size <= len(view):
        length, kind = HEADER.unpack_from(view, offset)
        if length < HEADER.size or offset + length > len(view):
            return
        yield kind & TYPE_MASK, view[offset + HEADER.size : offset + length]
        offset += aligned(length)


def table(data: Buffer, offset: int = 0) -> dict[int, memoryview]:
    """Return all attributes by their type; the last one of each."""
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


def address(value: Buffer) -> str:
    """Unpack an IP address of either version, in Python's spelling of it."""
    if len(value) == _IPV4_BYTES:
        return socket.inet_ntop(socket.AF_INET, value)
    text = socket.inet_ntop(socket.AF_INET6, value)
    # The C library writes dots into addresses with an IPv4 address in them.
    return str(ipaddress.IPv6Address(bytes(value))) if "." in text else text


_LITTLE: Final = struct.pack("=H", 1) == b"\1\0"
