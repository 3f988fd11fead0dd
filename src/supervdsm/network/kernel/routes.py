# SPDX-License-Identifier: GPL-2.0-or-later
"""Routes and rules: RTM_NEWROUTE, RTM_NEWRULE.

Source: rtnetlink(7), <linux/rtnetlink.h>, <linux/fib_rules.h>. No I/O.
"""

import socket
import struct
from typing import Final, NamedTuple

from supervdsm.network.kernel import attributes
from supervdsm.network.kernel.attributes import Buffer
from supervdsm.network.kernel.model import Route, Rule
from supervdsm.network.kernel.shapes import Decoder, Number, Raw, Values

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
_FIXED: Final = "=16xBBBBBBBBI"
_NAMES: Final = (
    "family",
    "dst_len",
    "src_len",
    "tos",
    "header_table",
    "protocol",
    "scope",
    "type",
    "flags",
)
_DST_LEN: Final = 17
_PROTOCOL: Final = 21

_RTA_GATEWAY: Final = 5
_RTA_VIA: Final = 18
_RTA_ENCAP: Final = 22
_route_decoder: Final = Decoder(
    _FIXED,
    _NAMES,
    {
        1: Raw("destination"),
        4: Number("index"),
        _RTA_GATEWAY: Raw("gateway"),
        6: Number("metric"),
        7: Raw("source"),
        9: Raw("hops"),
        15: Number("table"),
        _RTA_VIA: Raw("via"),
        _RTA_ENCAP: Raw("encap"),
    },
)
"""RTA_DST, OIF, GATEWAY, PRIORITY, PREFSRC, MULTIPATH, TABLE, VIA, ENCAP."""
_HOP: Final = struct.Struct("=HBBi")
"""struct rtnexthop: length, flags, weight less one, device."""
_rule_decoder: Final = Decoder(
    _FIXED,
    _NAMES,
    {
        1: Raw("destination"),
        2: Raw("source"),
        3: Raw("iif"),
        6: Number("priority"),
        15: Number("table"),
    },
)
"""FRA_DST, SRC, IIFNAME, PRIORITY, TABLE."""
_FR_ACT_TO_TBL: Final = 1

RTN_UNICAST: Final = 1
_RTPROT_KERNEL: Final = 2
_RTPROT_RA: Final = 9
_KERNELS_OWN: Final = frozenset({_RTPROT_KERNEL, _RTPROT_RA})
_RT_SCOPE_LINK: Final = 253
_RTNH_F_ONLINK: Final = 4

_VERSIONS: Final[dict[int, int]] = {socket.AF_INET: 4, socket.AF_INET6: 6}
_NETWORKS: Final = {4: "0.0.0.0", 6: "::"}

UNICAST: Final = HEADER.pack(socket.AF_UNSPEC, 0, 0, 0, 0, 0, 0, RTN_UNICAST, 0)
ALL_RULES: Final = HEADER.pack(socket.AF_UNSPEC, 0, 0, 0, 0, 0, 0, 0, 0)


def is_default(message: memoryview) -> bool:
    """Tell whether RTM_NEWROUTE is of a default route."""
    return message[_DST_LEN] == 0


def is_kernels_own(message: memoryview) -> bool:
    """Tell whether the kernel made a route: for an address, or from a router advertisement."""
    return message[_PROTOCOL] in _KERNELS_OWN


def decode(message: memoryview) -> list[Route]:
    """Decode RTM_NEWROUTE: one value for each next hop that has a device.

    Routes that are not unicast, or that only some packets take (by TOS or source), are left out.
    """
    values = _route_decoder.decode(message)
    get = values.get
    version = _VERSIONS.get(values["family"])
    if version is None or values["type"] != RTN_UNICAST or values["src_len"] or values["tos"]:
        return []
    destination, source = get("destination"), get("source")
    network = attributes.address(destination) if destination else _NETWORKS[version]
    hops = _hops(values["hops"]) if "hops" in values else [_hop(values)]
    return [
        Route(
            index=hop.device,
            version=version,
            table=values.get("table", values["header_table"]),
            destination=f"{network}/{values['dst_len']}",
            gateway=attributes.address(hop.gateway) if hop.gateway else "",
            metric=get("metric", 0),
            source=attributes.address(source) if source else "",
            protocol=values["protocol"],
            link_scope=values["scope"] == _RT_SCOPE_LINK,
            onlink=bool(hop.flags & _RTNH_F_ONLINK),
            plain=hop.plain and len(hops) == 1,
        )
        for hop in hops
        if hop.device
    ]


class _Hop(NamedTuple):
    device: int
    gateway: Buffer
    flags: int
    plain: bool
    """It is no tunnel, and its gateway is none of the other IP version."""


def _hop(values: Values) -> _Hop:
    plain = "via" not in values and "encap" not in values
    return _Hop(values.get("index", 0), values.get("gateway", b""), values["flags"], plain)


def _hops(data: bytes) -> list[_Hop]:
    """Decode RTA_MULTIPATH."""
    hops = []
    rest = memoryview(data)
    while len(rest) >= _HOP.size:
        length, flags, _weight, index = _HOP.unpack_from(rest)
        if length < _HOP.size:
            break
        found = attributes.table(rest[:length], _HOP.size)
        plain = _RTA_VIA not in found and _RTA_ENCAP not in found
        hops.append(_Hop(index, found.get(_RTA_GATEWAY, b""), flags, plain))
        rest = rest[attributes.aligned(length) :]
    return hops


def decode_rule(message: memoryview) -> Rule | None:
    """Decode RTM_NEWRULE; None for a rule that does not lead to a table."""
    values = _rule_decoder.decode(message)
    version = _VERSIONS.get(values["family"])
    if version is None or values["type"] != _FR_ACT_TO_TBL:
        return None
    return Rule(
        version=version,
        table=values.get("table", values["header_table"]),
        priority=values.get("priority", 0),
        source=_prefix(values.get("source"), values["src_len"]),
        destination=_prefix(values.get("destination"), values["dst_len"]),
        iif=attributes.string(values.get("iif", b"")),
    )


def _prefix(value: bytes | None, length: int) -> str:
    return "" if value is None else f"{attributes.address(value)}/{length}"
