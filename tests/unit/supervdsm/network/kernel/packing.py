# SPDX-License-Identifier: GPL-2.0-or-later
"""Messages as the kernel would send them, packed by pyroute2: another idea of the format."""

from typing import Any

from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg
from pyroute2.netlink.rtnl.rtmsg import rtmsg

Attributes = list[tuple[str, object]]


def packed(cls: Any, fields: dict[str, object], attrs: Attributes) -> memoryview:
    message = cls()
    for name, value in fields.items():
        message[name] = value
    message["attrs"] = attrs
    message.encode()
    return memoryview(bytes(message.data))


def link(attrs: Attributes, **linkinfo: object) -> memoryview:
    common: Attributes = [("IFLA_IFNAME", "dev"), ("IFLA_MTU", 9000)]
    if linkinfo:
        nested = [(f"IFLA_INFO_{name.upper()}", value) for name, value in linkinfo.items()]
        common.append(("IFLA_LINKINFO", {"attrs": nested}))
    return packed(ifinfmsg, {"index": 7, "flags": 0x11043}, common + attrs)


def address(
    family: int, scope: int, flags: int, attrs: Attributes, prefixlen: int = 24
) -> memoryview:
    fields: dict[str, object] = {
        "family": family,
        "prefixlen": prefixlen,
        "scope": scope,
        "index": 7,
        "flags": flags & 0xFF,
    }
    return packed(ifaddrmsg, fields, [*attrs, ("IFA_FLAGS", flags)])


def route(attrs: Attributes, **fields: object) -> memoryview:
    header: dict[str, object] = {"family": 2, "dst_len": 0, "type": 1, "table": 254}
    return packed(rtmsg, header | fields, attrs)
