# SPDX-License-Identifier: GPL-2.0-or-later
"""Devices: RTM_NEWLINK, decoded as far as it is used.

Source: rtnetlink(7), <linux/if_link.h>. A message has some sixty attributes, of which a dozen
matter here: the others are stepped over. No I/O.
"""

import socket
import struct
from typing import Any, Final

from supervdsm.network import bonding
from supervdsm.network.kernel import attributes, bridges
from supervdsm.network.kernel.model import BondPort, Ipv6Settings, Link
from supervdsm.network.kernel.shapes import (
    Choice,
    Constant,
    Decoder,
    Fields,
    Nested,
    Number,
    Raw,
    Values,
    Wanted,
)

RTM_NEWLINK: Final = 16
RTM_DELLINK: Final = 17
RTM_GETLINK: Final = 18

HEADER: Final = struct.Struct("=BxHiII")
"""struct ifinfomsg: family, type, index, flags, change mask."""
_FAMILY: Final = 16
_INDEX: Final = struct.Struct("=20xi")
_FLAGS: Final = struct.Struct("=24xI")

_ATTRIBUTES: Final = 32
_FIRST_ATTRIBUTE: Final = struct.Struct("=34xH")

_IFLA_WIRELESS: Final = 11
_IFLA_EXT_MASK: Final = 29
_RTEXT_FILTER_SKIP_STATS: Final = 8
ALL: Final = HEADER.pack(socket.AF_UNSPEC, 0, 0, 0, 0)
WITHOUT_COUNTERS: Final = attributes.u32(_IFLA_EXT_MASK, _RTEXT_FILTER_SKIP_STATS)

_IFLA_BOND_AD_INFO: Final = 23
_IFLA_BOND_AD_INFO_AGGREGATOR: Final = 1
_IFLA_BOND_AD_INFO_PARTNER_MAC: Final = 5

_BYTES: Final = frozenset({bonding.Type.IPV4_LIST, bonding.Type.IPV6_LIST, bonding.Type.MAC})
_CONF: Final = {
    "forwarding": (0, "i"),
    "accept_ra": (12, "i"),
    "autoconf": (20, "i"),
    "defrtr": (68, "i"),
    "disable_ipv6": (104, "i"),
}
"""IFLA_INET6_CONF: numbers of 32 bits in the order of DEVCONF_* in <linux/ipv6.h>."""
_BOND: Final[Wanted] = {
    bonding.ACTIVE_SLAVE_ATTRIBUTE: Number("active_slave"),
    _IFLA_BOND_AD_INFO: Raw("ad_info"),
    **{
        option.attribute: (Raw if option.type in _BYTES else Number)(option.name)
        for option in bonding.OPTIONS.values()
    },
}
_INFO: Final[Wanted] = {
    1: Constant("kind"),  # IFLA_INFO_KIND
    2: Choice(  # IFLA_INFO_DATA
        "kind",
        {
            "vlan": {1: Number("vlanid")},
            "bridge": bridges.WANTED,
            "bond": _BOND,
        },
    ),
    4: Constant("port_kind"),  # IFLA_INFO_SLAVE_KIND
    5: Choice("port_kind", {"bond": {4: Raw("permhwaddr"), 6: Number("aggregator")}}),
}
_decoder: Final = Decoder(
    "=20xiI4x",
    ("index", "flags"),
    {
        1: Raw("hwaddr"),
        3: Raw("name"),
        4: Number("mtu"),
        5: Number("lower"),
        6: Raw("qdisc"),
        10: Number("master"),
        18: Nested(_INFO),
        26: Nested({int(socket.AF_INET6): Nested({2: Fields(_CONF)})}),
        37: Number("lower_namespace"),
        56: Raw("parent"),
    },
)
"""IFLA_ADDRESS, IFNAME, MTU, LINK, QDISC, MASTER, LINKINFO, AF_SPEC, LINK_NETNSID,
PARENT_DEV_NAME."""


def index(message: memoryview) -> int:
    """Return the index of the device that a message is about."""
    found: int = _INDEX.unpack_from(message)[0]
    return found


def flags(message: memoryview) -> int:
    """Return the device's IFF_*."""
    found: int = _FLAGS.unpack_from(message)[0]
    return found


def is_about_device(message: memoryview) -> bool:
    """Tell a whole message about a device from one of AF_BRIDGE, about its role as a port, and from
    one of a wireless driver, which has nothing but that driver's event.
    """
    first = _FIRST_ATTRIBUTE.unpack_from(message)[0] if len(message) > _ATTRIBUTES else 0
    return message[_FAMILY] == socket.AF_UNSPEC and first not in {0, _IFLA_WIRELESS}


def decode(message: memoryview) -> Link:
    """Decode RTM_NEWLINK."""
    values = _decoder.decode(message)
    get = values.get
    kind = get("kind", "")
    hwaddr = get("hwaddr")
    return Link(
        index=values["index"],
        name=attributes.string(values["name"]),
        kind=kind,
        flags=values["flags"],
        mtu=get("mtu", 0),
        hwaddr=hwaddr.hex(":") if hwaddr else "",
        physical="parent" in values,
        master=get("master", 0),
        lower=0 if "lower_namespace" in values else get("lower", 0),
        vlanid=get("vlanid", 0),
        qdisc=attributes.string(get("qdisc", b"")),
        ipv6=_ipv6(values) if "disable_ipv6" in values else None,
        port=_bond_port(values) if get("port_kind") == "bond" else None,
        options=_OPTIONS[kind](values) if kind in _OPTIONS else {},
    )


def _ipv6(values: Values) -> Ipv6Settings:
    return Ipv6Settings(
        disabled=bool(values["disable_ipv6"]),
        accept_ra=values["accept_ra"],
        autoconf=bool(values["autoconf"]),
        defrtr=bool(values["defrtr"]),
        forwarding=bool(values["forwarding"]),
    )


def _bond_port(values: Values) -> BondPort:
    permanent = values.get("permhwaddr")
    return BondPort(
        permhwaddr=permanent.hex(":") if permanent else "", aggregator=values.get("aggregator")
    )


def _bond(values: Values) -> dict[str, str]:
    """Return a bond's options and state by the names of sysfs' files.

    `primary` and `active_slave` are the index of a port, in decimal, or empty. What is empty, a
    list of targets too, the kernel leaves out.
    """
    options = {"active_slave": _port(values.get("active_slave", 0))}
    for option in bonding.OPTIONS.values():
        if option.name in values:
            options[option.name] = _BOND_TEXTS.get(option.type, str)(values[option.name])
        elif not option.default:
            options[option.name] = ""
    state = attributes.table(values.get("ad_info", b""))
    if _IFLA_BOND_AD_INFO_AGGREGATOR in state:
        options["ad_aggregator"] = str(attributes.number(state[_IFLA_BOND_AD_INFO_AGGREGATOR]))
    if _IFLA_BOND_AD_INFO_PARTNER_MAC in state:
        options["ad_partner_mac"] = state[_IFLA_BOND_AD_INFO_PARTNER_MAC].hex(":")
    return options


def _port(index: int) -> str:
    return str(index or "")


def _addresses(value: bytes) -> str:
    return ",".join(attributes.address(one) for _, one in attributes.walk(value))


def _mac(value: bytes) -> str:
    return value.hex(":")


_BOND_TEXTS: Final[dict[bonding.Type, Any]] = {
    bonding.Type.IPV4_LIST: _addresses,
    bonding.Type.IPV6_LIST: _addresses,
    bonding.Type.MAC: _mac,
    bonding.Type.PORT: _port,
}
_OPTIONS: Final = {"bond": _bond, "bridge": bridges.options}
