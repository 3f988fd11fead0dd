# SPDX-License-Identifier: GPL-2.0-or-later
"""Routes and rules: RTM_NEWROUTE, RTM_NEWRULE.

Source: rtnetlink(7), <linux/rtnetlink.h>, <linux/fib_rules.h>. No I/O.
"""

import socket
import struct
from collections.abc import Iterator
from typing import Final

from supervdsm.network.kernel import attributes
from supervdsm.network.kernel.model import Route, Rule

RTM_NEWROUTE: Final = 24
RTM_DELROUTE: Final = 25
RTM_GETROUTE: Final = 26
RTM_NEWRULE: Final = 32
RTM_DELRULE: Final = 33
RTM_GETRULE: Final = 34

HEADER: Final = struct.Struct("=BBBBBBBBI")
"""struct rtmsg: family, destination and source prefix length, TOS, table, protocol, scope, type,
flags. struct fib_rule_hdr has the same shape: protocol and scope are not used, type is the
action."""
_MESSAGE: Final = struct.Struct("=16xBBBBBBBBI")
_DST_LEN: Final = 17
_PROTOCOL: Final = 21

_RTA_DST: Final = 1
_RTA_OIF: Final = 4
_RTA_GATEWAY: Final = 5
_RTA_PRIORITY: Final = 6
_RTA_PREFSRC: Final = 7
_RTA_MULTIPATH: Final = 9
_RTA_TABLE: Final = 15
_RTA_VIA: Final = 18
_RTA_ENCAP: Final = 22
_ROUTE: Final = frozenset(
    {
        _RTA_DST,
        _RTA_OIF,
        _RTA_GATEWAY,
        _RTA_PRIORITY,
        _RTA_PREFSRC,
        _RTA_MULTIPATH,
        _RTA_TABLE,
        _RTA_VIA,
        _RTA_ENCAP,
    }
)
_HOP: Final = struct.Struct("=HBBi")
"""struct rtnexthop: length, flags, weight less one, device."""
_HOP_ATTRIBUTES: Final = frozenset({_RTA_GATEWAY, _RTA_VIA, _RTA_ENCAP})

_FRA_DST: Final = 1
_FRA_SRC: Final = 2
_FRA_IIFNAME: Final = 3
_FRA_PRIORITY: Final = 6
_FRA_TABLE: Final = 15
_RULE: Final = frozenset({_FRA_DST, _FRA_SRC, _FRA_IIFNAME, _FRA_PRIORITY, _FRA_TABLE})
_FR_ACT_TO_TBL: Final = 1

RTN_UNICAST: Final = 1
RTPROT_KERNEL: Final = 2
RTPROT_STATIC: Final = 4
RTPROT_RA: Final = 9
RT_SCOPE_LINK: Final = 253
RTNH_F_ONLINK: Final = 4

_VERSIONS: Final[dict[int, int]] = {socket.AF_INET: 4, socket.AF_INET6: 6}
_NETWORKS: Final = {4: "0.0.0.0", 6: "::"}

UNICAST: Final = HEADER.pack(socket.AF_UNSPEC, 0, 0, 0, 0, 0, 0, RTN_UNICAST, 0)
ALL_RULES: Final = HEADER.pack(socket.AF_UNSPEC, 0, 0, 0, 0, 0, 0, 0, 0)


def is_default(message: memoryview) -> bool:
    """Tell whether RTM_NEWROUTE is of a default route."""
    return message[_DST_LEN] == 0


def protocol(message: memoryview) -> int:
    """Return who made a route: RTPROT_*."""
    return message[_PROTOCOL]


def decode(message: memoryview) -> Iterator[Route]:
    """Decode RTM_NEWROUTE: one value for each next hop that has a device.

    Routes that are not unicast, or that only some packets take (by TOS or source), are left out.
    """
    family, length, src_len, tos, table, origin, scope, kind, flags = _MESSAGE.unpack_from(message)
    version = _VERSIONS.get(family)
    if version is None or kind != RTN_UNICAST or src_len or tos:
        return
    found = attributes.select(message, _MESSAGE.size, _ROUTE)
    number = attributes.number
    destination = attributes.address(found[_RTA_DST]) if _RTA_DST in found else _NETWORKS[version]
    source = attributes.address(found[_RTA_PREFSRC]) if _RTA_PREFSRC in found else ""
    hops = list(_hops(found, flags))
    for index, gateway, hop_flags, plain in hops:
        yield Route(
            index=index,
            version=version,
            table=number(found[_RTA_TABLE]) if _RTA_TABLE in found else table,
            destination=f"{destination}/{length}",
            gateway=gateway,
            metric=number(found[_RTA_PRIORITY]) if _RTA_PRIORITY in found else 0,
            source=source,
            protocol=origin,
            link_scope=scope == RT_SCOPE_LINK,
            onlink=bool(hop_flags & RTNH_F_ONLINK),
            plain=plain and len(hops) == 1,
        )


def _hops(found: dict[int, memoryview], flags: int) -> Iterator[tuple[int, str, int, bool]]:
    """Give device, gateway, flags of each next hop, and whether that is all there is to it."""
    if _RTA_OIF in found:
        yield attributes.number(found[_RTA_OIF]), *_gateway(found, flags)
        return
    rest = found.get(_RTA_MULTIPATH, memoryview(b""))
    while len(rest) >= _HOP.size:
        length, hop_flags, _weight, index = _HOP.unpack_from(rest)
        if length < _HOP.size:
            return
        hop = attributes.select(rest[:length], _HOP.size, _HOP_ATTRIBUTES)
        if index:
            yield index, *_gateway(hop, hop_flags)
        rest = rest[attributes.aligned(length) :]


def _gateway(found: dict[int, memoryview], flags: int) -> tuple[str, int, bool]:
    gateway = attributes.address(found[_RTA_GATEWAY]) if _RTA_GATEWAY in found else ""
    # A gateway of the other IP version, or a tunnel.
    return gateway, flags, _RTA_VIA not in found and _RTA_ENCAP not in found


def decode_rule(message: memoryview) -> Rule | None:
    """Decode RTM_NEWRULE; None for a rule that does not lead to a table."""
    family, dst_len, src_len, _, table, _, _, action, _ = _MESSAGE.unpack_from(message)
    version = _VERSIONS.get(family)
    if version is None or action != _FR_ACT_TO_TBL:
        return None
    found = attributes.select(message, _MESSAGE.size, _RULE)
    return Rule(
        version=version,
        table=attributes.number(found[_FRA_TABLE]) if _FRA_TABLE in found else table,
        priority=attributes.number(found[_FRA_PRIORITY]) if _FRA_PRIORITY in found else 0,
        source=_prefix(found.get(_FRA_SRC), src_len),
        destination=_prefix(found.get(_FRA_DST), dst_len),
        iif=attributes.string(found[_FRA_IIFNAME]) if _FRA_IIFNAME in found else "",
    )


def _prefix(value: memoryview | None, length: int) -> str:
    return "" if value is None else f"{attributes.address(value)}/{length}"
