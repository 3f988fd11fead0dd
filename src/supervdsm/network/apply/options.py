# SPDX-License-Identifier: GPL-2.0-or-later
"""Options of bonds and bridges, packed for netlink as the tables in `bonding` and `bridging` say.

Source: drivers/net/bonding/bond_netlink.c, net/bridge/br_netlink.c. No I/O.
"""

import ipaddress
import struct
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from supervdsm.network import bonding, bridging
from supervdsm.network.kernel import attributes


class Packed(NamedTuple):
    """Options in the two ways to set them: netlink attributes, and files of sysfs by name."""

    data: bytes
    files: dict[str, str]


def pack(kind: str, options: Mapping[str, str], index: Callable[[str], int]) -> Packed:
    """Pack options of a bond or bridge. `index` finds a device's by its name.

    What has no attribute, or is written in a way that only the kernel's own parser knows, goes by
    sysfs.
    """
    data = bytearray()
    files: dict[str, str] = {}
    for name, value in options.items():
        found = bonding.OPTIONS.get(name) if kind == "bond" else bridging.OPTIONS.get(name)
        try:
            if found is None:
                raise ValueError
            data += _attribute(found, value, index)
        except (ValueError, struct.error):
            files[name] = value
    return Packed(bytes(data), files)


def _attribute(
    option: bonding.Option | bridging.Option, value: str, index: Callable[[str], int]
) -> bytes:
    """Pack one option; raises ValueError or struct.error for what is not of its type."""
    kind = option.attribute
    match option.type:
        case bonding.Type.IPV4_LIST | bonding.Type.IPV6_LIST:
            return attributes.nested(kind, *_addresses(value))
        case bonding.Type.MAC | bridging.Type.MAC:
            return _hwaddr(kind, value)
        case bonding.Type.PORT:
            return attributes.u32(kind, index(value) if value else 0)
        case width:
            return _NUMBERS[width](kind, int(value, 0))


def _addresses(value: str) -> list[bytes]:
    words = value.split(",") if value else []
    return [attributes.ip(position, str(_address(word))) for position, word in enumerate(words)]


def _address(word: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    return ipaddress.ip_address(word)


def _hwaddr(kind: int, value: str) -> bytes:
    packed = attributes.hwaddr(kind, value)
    if len(packed) != _MAC_ATTRIBUTE:
        raise ValueError(value)
    return packed


_MAC_ATTRIBUTE: Final = 12
"""Bytes of an attribute with a hardware address: 4 + 6, on a boundary of 4."""

_NUMBERS: Final[Mapping[bonding.Type | bridging.Type, Callable[[int, int], bytes]]] = {
    bonding.Type.U8: attributes.u8,
    bonding.Type.U16: attributes.u16,
    bonding.Type.U32: attributes.u32,
    bridging.Type.U8: attributes.u8,
    bridging.Type.U16: attributes.u16,
    bridging.Type.U32: attributes.u32,
    bridging.Type.U64: attributes.u64,
    bridging.Type.BE16: attributes.be16,
}
