# SPDX-License-Identifier: GPL-2.0-or-later
"""Devices: RTM_NEWLINK, decoded as far as it is used.

Source: rtnetlink(7), <linux/if_link.h>. A message has some sixty attributes, of which a dozen
matter here: the others are stepped over. No I/O.
"""

import socket
import struct
from typing import Final

from supervdsm.network import bonding
from supervdsm.network.kernel import attributes, bridges
from supervdsm.network.kernel.model import BondPort, Ipv6Settings, Link

RTM_NEWLINK: Final = 16
RTM_DELLINK: Final = 17
RTM_GETLINK: Final = 18

HEADER: Final = struct.Struct("=BxHiII")
"""struct ifinfomsg: family, type, index, flags, change mask."""
_MESSAGE: Final = struct.Struct("=16xBxHiII")
_ATTRIBUTES: Final = _MESSAGE.size

_IFLA_ADDRESS: Final = 1
_IFLA_IFNAME: Final = 3
_IFLA_MTU: Final = 4
_IFLA_LINK: Final = 5
_IFLA_QDISC: Final = 6
_IFLA_MASTER: Final = 10
_IFLA_LINKINFO: Final = 18
_IFLA_AF_SPEC: Final = 26
_IFLA_EXT_MASK: Final = 29
_IFLA_LINK_NETNSID: Final = 37
_IFLA_PARENT_DEV_NAME: Final = 56
_WANTED: Final = frozenset(
    {
        _IFLA_ADDRESS,
        _IFLA_IFNAME,
        _IFLA_MTU,
        _IFLA_LINK,
        _IFLA_QDISC,
        _IFLA_MASTER,
        _IFLA_LINKINFO,
        _IFLA_AF_SPEC,
        _IFLA_LINK_NETNSID,
        _IFLA_PARENT_DEV_NAME,
    }
)

_IFLA_INFO_KIND: Final = 1
_IFLA_INFO_DATA: Final = 2
_IFLA_INFO_SLAVE_KIND: Final = 4
_IFLA_INFO_SLAVE_DATA: Final = 5
_INFO: Final = frozenset(
    {_IFLA_INFO_KIND, _IFLA_INFO_DATA, _IFLA_INFO_SLAVE_KIND, _IFLA_INFO_SLAVE_DATA}
)

_IFLA_VLAN_ID: Final = frozenset({1})
_IFLA_BOND_AD_INFO: Final = 23
_IFLA_BOND_AD_INFO_AGGREGATOR: Final = 1
_IFLA_BOND_AD_INFO_PARTNER_MAC: Final = 5
_IFLA_BOND_SLAVE_PERM_HWADDR: Final = 4
_IFLA_BOND_SLAVE_AD_AGGREGATOR_ID: Final = 6

_AF_INET6: Final = frozenset({int(socket.AF_INET6)})
_IFLA_INET6_CONF: Final = frozenset({2})
_CONF: Final = struct.Struct("=i8xi4xi44xi32xi")
"""DEVCONF_FORWARDING (0), ACCEPT_RA (3), AUTOCONF (5), ACCEPT_RA_DEFRTR (17) and DISABLE_IPV6 (26)
of <linux/ipv6.h>."""

_RTEXT_FILTER_SKIP_STATS: Final = 8
ALL: Final = HEADER.pack(socket.AF_UNSPEC, 0, 0, 0, 0)
WITHOUT_COUNTERS: Final = attributes.u32(_IFLA_EXT_MASK, _RTEXT_FILTER_SKIP_STATS)


def index(message: memoryview) -> int:
    """Return the index of the device that a message is about."""
    found: int = _MESSAGE.unpack_from(message)[2]
    return found


def is_about_device(message: memoryview) -> bool:
    """Tell a message about a device from one of AF_BRIDGE, about its role as a port."""
    return message[16] == socket.AF_UNSPEC


def flags(message: memoryview) -> int:
    """Return IFF_*."""
    found: int = _MESSAGE.unpack_from(message)[3]
    return found


def decode(message: memoryview) -> Link:
    """Decode RTM_NEWLINK."""
    _, _, device, iff, _ = _MESSAGE.unpack_from(message)
    found = attributes.select(message, _ATTRIBUTES, _WANTED)
    get = found.get
    hwaddr, qdisc, lower = get(_IFLA_ADDRESS), get(_IFLA_QDISC), get(_IFLA_LINK)
    info = get(_IFLA_LINKINFO)
    parts = attributes.select(info, 0, _INFO) if info else {}
    kind = attributes.string(parts[_IFLA_INFO_KIND]) if _IFLA_INFO_KIND in parts else ""
    data = parts.get(_IFLA_INFO_DATA, _NOTHING)
    return Link(
        index=device,
        name=attributes.string(found[_IFLA_IFNAME]),
        kind=kind,
        flags=iff,
        mtu=_number(get(_IFLA_MTU)),
        hwaddr=hwaddr.hex(":") if hwaddr else "",
        physical=_IFLA_PARENT_DEV_NAME in found,
        master=_number(get(_IFLA_MASTER)),
        lower=_number(lower) if _IFLA_LINK_NETNSID not in found else 0,
        vlanid=_vlanid(data) if kind == "vlan" else 0,
        qdisc=attributes.string(qdisc) if qdisc else "",
        ipv6=_ipv6(get(_IFLA_AF_SPEC)),
        port=_bond_port(parts),
        options=_options(kind, data),
    )


_NOTHING: Final = memoryview(b"")


def _number(value: memoryview | None) -> int:
    return 0 if value is None else attributes.number(value)


def _vlanid(data: memoryview) -> int:
    return _number(attributes.select(data, 0, _IFLA_VLAN_ID).get(1))


def _ipv6(spec: memoryview | None) -> Ipv6Settings | None:
    """Decode the settings of IPv6; None when the device has no IPv6."""
    if spec is None:
        return None
    for family in attributes.select(spec, 0, _AF_INET6).values():
        for conf in attributes.select(family, 0, _IFLA_INET6_CONF).values():
            forwarding, accept_ra, autoconf, defrtr, disabled = _CONF.unpack_from(conf)
            return Ipv6Settings(
                bool(disabled), accept_ra, bool(autoconf), bool(defrtr), bool(forwarding)
            )
    return None


def _bond_port(info: dict[int, memoryview]) -> BondPort | None:
    kind = info.get(_IFLA_INFO_SLAVE_KIND)
    if kind is None or attributes.string(kind) != "bond":
        return None
    data = attributes.table(info.get(_IFLA_INFO_SLAVE_DATA, _NOTHING))
    permanent = data.get(_IFLA_BOND_SLAVE_PERM_HWADDR)
    aggregator = data.get(_IFLA_BOND_SLAVE_AD_AGGREGATOR_ID)
    return BondPort(
        permhwaddr=permanent.hex(":") if permanent else "",
        aggregator=None if aggregator is None else attributes.number(aggregator),
    )


def _options(kind: str, data: memoryview) -> dict[str, str]:
    if kind == "bridge":
        return bridges.decode(data)
    if kind == "bond":
        return _bond(data)
    return {}


def _bond(data: memoryview) -> dict[str, str]:
    """Decode IFLA_INFO_DATA of a bond: options and state by the names of sysfs' files.

    `primary` and `active_slave` are the index of a port, in decimal, or empty.
    """
    found = attributes.table(data)
    options = {"active_slave": _port(found.get(bonding.ACTIVE_SLAVE_ATTRIBUTE, _NOTHING))}
    for option in bonding.OPTIONS.values():
        value = found.get(option.attribute)
        if value is not None:
            options[option.name] = _BOND_TEXTS[option.type](value)
        elif option.type is bonding.Type.PORT:
            options[option.name] = ""
    state = attributes.table(found.get(_IFLA_BOND_AD_INFO, _NOTHING))
    if _IFLA_BOND_AD_INFO_AGGREGATOR in state:
        options["ad_aggregator"] = _decimal(state[_IFLA_BOND_AD_INFO_AGGREGATOR])
    if _IFLA_BOND_AD_INFO_PARTNER_MAC in state:
        options["ad_partner_mac"] = state[_IFLA_BOND_AD_INFO_PARTNER_MAC].hex(":")
    return options


def _decimal(value: memoryview) -> str:
    return str(attributes.number(value))


def _port(value: memoryview) -> str:
    return str(attributes.number(value) or "")


def _addresses(value: memoryview) -> str:
    return ",".join(attributes.address(one) for _, one in attributes.walk(value))


def _mac(value: memoryview) -> str:
    return value.hex(":")


_BOND_TEXTS: Final = {
    bonding.Type.U8: _decimal,
    bonding.Type.U16: _decimal,
    bonding.Type.U32: _decimal,
    bonding.Type.IPV4_LIST: _addresses,
    bonding.Type.IPV6_LIST: _addresses,
    bonding.Type.MAC: _mac,
    bonding.Type.PORT: _port,
}
