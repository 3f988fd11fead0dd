# SPDX-License-Identifier: GPL-2.0-or-later
"""The rtnetlink requests of a change, packed by hand: for 1,000 networks there are thousands.

Source: rtnetlink(7), <linux/rtnetlink.h>, <linux/if_link.h>, <linux/if_addr.h>,
<linux/fib_rules.h>. Devices go by name where the kernel takes one: then a request can follow the
one that makes its device at once, and can not hit another device that was given the same index.
No I/O.
"""

import ipaddress
import struct
from typing import Final

from supervdsm.network.kernel import attributes
from supervdsm.network.kernel.socket import NLM_F_CREATE, NLM_F_EXCL, message
from supervdsm.network.plan.state import Address, Route, Rule

_RTM_NEWLINK: Final = 16
_RTM_DELLINK: Final = 17
_RTM_SETLINK: Final = 19
_RTM_NEWADDR: Final = 20
_RTM_DELADDR: Final = 21
_RTM_NEWROUTE: Final = 24
_RTM_DELROUTE: Final = 25
_RTM_NEWRULE: Final = 32
_RTM_DELRULE: Final = 33

_LINK: Final = struct.Struct("=BxHiII")
"""struct ifinfomsg: family, type, index, flags, change."""
_ADDRESS: Final = struct.Struct("=BBBBI")
"""struct ifaddrmsg: family, prefix length, flags, scope, index."""
_LIFETIMES: Final = struct.Struct("=IIII")
"""struct ifa_cacheinfo: preferred, valid, made, changed."""
_ROUTE: Final = struct.Struct("=BBBBBBBBI")
"""struct rtmsg: family, lengths of destination and source, TOS, table, protocol, scope, type,
flags."""
_RULE: Final = struct.Struct("=BBBBBxxBI")
"""struct fib_rule_hdr: family, lengths of destination and source, TOS, table, action, flags."""

_IFF_UP: Final = 0x1
_IFLA_ADDRESS: Final = 1
_IFLA_IFNAME: Final = 3
_IFLA_MTU: Final = 4
_IFLA_LINK: Final = 5
_IFLA_MASTER: Final = 10
_IFLA_LINKINFO: Final = 18
_IFLA_GROUP: Final = 27
_IFLA_INFO_KIND: Final = 1
_IFLA_INFO_DATA: Final = 2
_IFLA_VLAN_ID: Final = 1

_IFA_ADDRESS: Final = 1
_IFA_LOCAL: Final = 2
_IFA_BROADCAST: Final = 4
_IFA_CACHEINFO: Final = 6

_RTA_DST: Final = 1
_RTA_OIF: Final = 4
_RTA_GATEWAY: Final = 5
_RTA_PRIORITY: Final = 6
_RTA_PREFSRC: Final = 7
_RTA_TABLE: Final = 15
_RTN_UNSPEC: Final = 0
_RTN_UNICAST: Final = 1
_RTNH_F_ONLINK: Final = 4
_RT_SCOPE_UNIVERSE: Final = 0
_RT_SCOPE_LINK: Final = 253
_RT_SCOPE_NOWHERE: Final = 255
_RTPROT_STATIC: Final = 4
_IPV6_METRIC: Final = 1024
"""IP6_RT_PRIO_USER, <linux/ipv6_route.h>: what the kernel takes for no metric."""

_FRA_DST: Final = 1
_FRA_SRC: Final = 2
_FRA_IIFNAME: Final = 3
_FRA_PRIORITY: Final = 6
_FRA_TABLE: Final = 15
_FRA_PROTOCOL: Final = 21
_FR_ACT_TO_TBL: Final = 1

_FAMILIES: Final = {4: 2, 6: 10}
"""AF_INET and AF_INET6."""
_MAX_SMALL_TABLE: Final = 255
"""Greater numbers do not fit into the fixed part of a request."""


def create_link(
    name: str,
    kind: str,
    *,
    mtu: int | None = None,
    hwaddr: str | None = None,
    master: int = 0,
    lower: int = 0,
    data: bytes = b"",
) -> bytes:
    """Make a device, down. `master` and `lower` are indexes; `data` is of the kind."""
    body = _LINK.pack(0, 0, 0, 0, 0) + attributes.text(_IFLA_IFNAME, name)
    if mtu is not None:
        body += attributes.u32(_IFLA_MTU, mtu)
    if hwaddr is not None:
        body += attributes.hwaddr(_IFLA_ADDRESS, hwaddr)
    if lower:
        body += attributes.u32(_IFLA_LINK, lower)
    if master:
        body += attributes.u32(_IFLA_MASTER, master)
    return message(_RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, body + _info(kind, data))


def vlan_data(identifier: int) -> bytes:
    """Return the data of a device of kind `vlan`."""
    return attributes.u16(_IFLA_VLAN_ID, identifier)


def set_data(name: str, kind: str, data: bytes) -> bytes:
    """Set options of an existing device of `kind`."""
    return message(_RTM_NEWLINK, 0, _named(name) + _info(kind, data))


def set_up(name: str, up: bool) -> bytes:
    """Set a device up or down."""
    header = _LINK.pack(0, 0, 0, _IFF_UP if up else 0, _IFF_UP)
    return message(_RTM_SETLINK, 0, header + attributes.text(_IFLA_IFNAME, name))


def set_mtu(name: str, mtu: int) -> bytes:
    """Set a device's MTU."""
    return message(_RTM_SETLINK, 0, _named(name) + attributes.u32(_IFLA_MTU, mtu))


def set_hwaddr(name: str, hwaddr: str) -> bytes:
    """Set a device's hardware address."""
    return message(_RTM_SETLINK, 0, _named(name) + attributes.hwaddr(_IFLA_ADDRESS, hwaddr))


def set_master(name: str, master: int) -> bytes:
    """Make a device a port of the device with the index `master`, of none when that is 0."""
    return message(_RTM_SETLINK, 0, _named(name) + attributes.u32(_IFLA_MASTER, master))


def set_group(name: str, group: int) -> bytes:
    """Move a device to a group."""
    return message(_RTM_SETLINK, 0, _named(name) + attributes.u32(_IFLA_GROUP, group))


def delete_link(name: str) -> bytes:
    """Remove a device."""
    return message(_RTM_DELLINK, 0, _named(name))


def delete_group(group: int) -> bytes:
    """Remove all devices of a group other than 0."""
    header = _LINK.pack(0, 0, 0, 0, 0)
    return message(_RTM_DELLINK, 0, header + attributes.u32(_IFLA_GROUP, group))


def add_address(index: int, address: Address) -> bytes:
    """Add an address, as a rule with the broadcast address of its subnet, as ifup(8) does."""
    interface = ipaddress.ip_interface(address.cidr)
    body = _address(index, interface, address.peer)
    broadcast = address.broadcast
    if broadcast is None and interface.version == 4 and interface.network.prefixlen < 31:
        broadcast = str(interface.network.broadcast_address)
    if broadcast:
        body += attributes.ip(_IFA_BROADCAST, broadcast)
    if address.lifetime:
        lifetimes = _LIFETIMES.pack(address.lifetime, address.lifetime, 0, 0)
        body += attributes.attribute(_IFA_CACHEINFO, lifetimes)
    return message(_RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, body)


def remove_address(index: int, address: Address) -> bytes:
    """Remove an address."""
    return message(
        _RTM_DELADDR, 0, _address(index, ipaddress.ip_interface(address.cidr), address.peer)
    )


def add_route(index: int, route: Route) -> bytes:
    """Add a route through the device `index`.

    Without NLM_F_EXCL: with it, EEXIST would also be the answer for another route to the same
    destination, such as one by another gateway.
    """
    scope = _RT_SCOPE_LINK if route.link_scope else _RT_SCOPE_UNIVERSE
    flags = _RTNH_F_ONLINK if route.onlink else 0
    header = _route_header(route, route.protocol, scope, _RTN_UNICAST, flags)
    body = _route_attributes(index, route, route.metric)
    if route.source:
        body += attributes.ip(_RTA_PREFSRC, route.source)
    return message(_RTM_NEWROUTE, NLM_F_CREATE, header + body)


def remove_route(index: int, route: Route) -> bytes:
    """Remove a route through the device `index`, whatever its protocol and scope are.

    No metric is any metric to the kernel, of which it takes the lowest.
    """
    scope = _RT_SCOPE_NOWHERE if route.version == 4 else _RT_SCOPE_UNIVERSE
    metric = route.metric or (0 if route.version == 4 else _IPV6_METRIC)
    header = _route_header(route, 0, scope, _RTN_UNSPEC, 0)
    return message(_RTM_DELROUTE, 0, header + _route_attributes(index, route, metric))


def add_rule(rule: Rule) -> bytes:
    """Add a rule."""
    flags = NLM_F_CREATE | NLM_F_EXCL
    protocol = attributes.u8(_FRA_PROTOCOL, _RTPROT_STATIC)
    return message(_RTM_NEWRULE, flags, _rule(rule) + protocol)


def remove_rule(rule: Rule) -> bytes:
    """Remove a rule."""
    return message(_RTM_DELRULE, 0, _rule(rule))


def _named(name: str) -> bytes:
    return _NO_INDEX + attributes.text(_IFLA_IFNAME, name)


_NO_INDEX: Final = _LINK.pack(0, 0, 0, 0, 0)


def _info(kind: str, data: bytes) -> bytes:
    parts = attributes.text(_IFLA_INFO_KIND, kind)
    if data:
        parts += attributes.nested(_IFLA_INFO_DATA, data)
    return attributes.nested(_IFLA_LINKINFO, parts)


def _address(
    index: int, interface: ipaddress.IPv4Interface | ipaddress.IPv6Interface, peer: str
) -> bytes:
    family = _FAMILIES[interface.version]
    header = _ADDRESS.pack(family, interface.network.prefixlen, 0, _RT_SCOPE_UNIVERSE, index)
    local = str(interface.ip)
    # With a peer, IFA_ADDRESS is the peer's; otherwise both are ours.
    return header + attributes.ip(_IFA_LOCAL, local) + attributes.ip(_IFA_ADDRESS, peer or local)


def _route_header(route: Route, protocol: int, scope: int, kind: int, flags: int) -> bytes:
    length = int(route.destination.partition("/")[2])
    table = _small(route.table)
    family = _FAMILIES[route.version]
    return _ROUTE.pack(family, length, 0, 0, table, protocol, scope, kind, flags)


def _route_attributes(index: int, route: Route, metric: int) -> bytes:
    network, _, length = route.destination.partition("/")
    body = attributes.u32(_RTA_TABLE, route.table) + attributes.u32(_RTA_OIF, index)
    if length != "0":
        body += attributes.ip(_RTA_DST, network)
    if route.gateway:
        body += attributes.ip(_RTA_GATEWAY, route.gateway)
    if metric:
        body += attributes.u32(_RTA_PRIORITY, metric)
    return body


def _rule(rule: Rule) -> bytes:
    source, _, source_length = rule.source.partition("/")
    destination, _, destination_length = rule.destination.partition("/")
    body = _RULE.pack(
        _FAMILIES[rule.version],
        int(destination_length or 0),
        int(source_length or 0),
        0,
        _small(rule.table),
        _FR_ACT_TO_TBL,
        0,
    )
    body += attributes.u32(_FRA_TABLE, rule.table) + attributes.u32(_FRA_PRIORITY, rule.priority)
    if source:
        body += attributes.ip(_FRA_SRC, source)
    if destination:
        body += attributes.ip(_FRA_DST, destination)
    if rule.iif:
        body += attributes.text(_FRA_IIFNAME, rule.iif)
    return body


def _small(table: int) -> int:
    return table if table <= _MAX_SMALL_TABLE else 0
