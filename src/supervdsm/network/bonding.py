# SPDX-License-Identifier: GPL-2.0-or-later
"""The options of a bond: the one table of what the kernel takes, and text to values and back.

Source: Documentation/networking/bonding.rst, drivers/net/bonding/bond_options.c and
bond_netlink.c, <linux/if_link.h>. A value is the text of a number, of addresses (separated by
commas) or of a device's name, never of one of the kernel's names for a number. No I/O.
"""

import enum
import ipaddress
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

MODES: Final[Mapping[str, int]] = {
    "balance-rr": 0,
    "active-backup": 1,
    "balance-xor": 2,
    "broadcast": 3,
    "802.3ad": 4,
    "balance-tlb": 5,
    "balance-alb": 6,
}
DEFAULT_MODE: Final = "0"
_ACTIVE_BACKUP: Final = "1"

_ALL: Final = frozenset("0123456")
_LACP: Final = frozenset("4")
_ACTIVE: Final = frozenset("156")
"""Modes with one active port, or that receive by one."""
_ARP: Final = frozenset("0123")
_MONITORED: Final = frozenset("456")
_DEFAULT_MIIMON: Final = "100"
"""What the kernel takes for the modes that cannot work without link monitoring."""

_INT_MAX: Final = 2**31 - 1
_MAX_TARGETS: Final = 16
_OFF_ON: Final[Mapping[str, int]] = {"off": 0, "on": 1}
_OFF: Final[Mapping[str, int]] = {"off": 0}


class Type(enum.Enum):
    """How an option's netlink attribute carries it."""

    U8 = "u8"
    U16 = "u16"
    U32 = "u32"
    IPV4_LIST = "nested: IPv4 addresses, attribute types count from 0"
    IPV6_LIST = "nested: IPv6 addresses, attribute types count from 0"
    MAC = "6 bytes"
    PORT = "u32: index of a port; 0 for none"


@dataclass(frozen=True, slots=True)
class Option:
    """An option. `name` is its file below sysfs' `bonding`, `attribute` its IFLA_BOND_*."""

    name: str
    attribute: int
    type: Type
    default: str = "0"
    names: Mapping[str, int] = field(default_factory=dict)
    """The kernel's names of values."""
    low: int = 0
    high: int = 0
    """Range of the numbers, both ends included."""
    modes: frozenset[str] = _ALL
    """The modes in which the kernel lets it be set."""
    down: bool = False
    """It can be set only while the bond is down (BOND_OPTFLAG_IFDOWN)."""
    portless: bool = False
    """It can be set only while the bond has no ports (BOND_OPTFLAG_NOSLAVES)."""


# In the order in which the kernel takes them from one netlink message; where it matters, it is
# also the only order that works.
_TABLE: Final = (
    Option("mode", 1, Type.U8, names=MODES, high=6, down=True, portless=True),
    Option("miimon", 3, Type.U32, names=_OFF, high=_INT_MAX),
    Option("updelay", 4, Type.U32, names=_OFF, high=_INT_MAX),
    Option("downdelay", 5, Type.U32, names=_OFF, high=_INT_MAX),
    Option("peer_notif_delay", 28, Type.U32, names=_OFF, high=300_000),
    Option("use_carrier", 6, Type.U8, "1", names=_OFF_ON, high=1),
    Option("arp_interval", 7, Type.U32, names=_OFF, high=_INT_MAX, modes=_ARP),
    Option("arp_ip_target", 8, Type.IPV4_LIST, ""),
    Option("ns_ip6_target", 31, Type.IPV6_LIST, ""),
    Option(
        "arp_validate",
        9,
        Type.U32,
        names={
            "none": 0,
            "active": 1,
            "backup": 2,
            "all": 3,
            "filter": 4,
            "filter_active": 5,
            "filter_backup": 6,
        },
        high=6,
        modes=_ARP,
    ),
    Option("arp_all_targets", 10, Type.U32, names={"any": 0, "all": 1}, high=1),
    Option("primary", 11, Type.PORT, "", modes=_ACTIVE),
    Option("primary_reselect", 12, Type.U8, names={"always": 0, "better": 1, "failure": 2}, high=2),
    Option(
        "fail_over_mac",
        13,
        Type.U8,
        names={"none": 0, "active": 1, "follow": 2},
        high=2,
        portless=True,
    ),
    Option(
        "xmit_hash_policy",
        14,
        Type.U8,
        names={
            "layer2": 0,
            "layer3+4": 1,
            "layer2+3": 2,
            "encap2+3": 3,
            "encap3+4": 4,
            "vlan+srcmac": 5,
        },
        high=5,
    ),
    Option("resend_igmp", 15, Type.U32, "1", names=_OFF, high=255),
    Option("num_grat_arp", 16, Type.U8, "1", names=_OFF, high=255),
    Option("all_slaves_active", 17, Type.U8, names=_OFF_ON, high=1),
    Option("min_links", 18, Type.U32, names=_OFF, high=_INT_MAX),
    Option("lp_interval", 19, Type.U32, "1", low=1, high=_INT_MAX),
    Option("packets_per_slave", 20, Type.U32, "1", high=65535, modes=frozenset("0")),
    Option("lacp_active", 29, Type.U8, "1", names=_OFF_ON, high=1, modes=_LACP, down=True),
    Option("lacp_rate", 21, Type.U8, names={"slow": 0, "fast": 1}, high=1, modes=_LACP, down=True),
    Option(
        "ad_select",
        22,
        Type.U8,
        names={"stable": 0, "bandwidth": 1, "count": 2, "prio": 3},
        high=3,
        down=True,
    ),
    Option("ad_actor_sys_prio", 24, Type.U16, "65535", low=1, high=65535, modes=_LACP),
    Option("ad_user_port_key", 25, Type.U16, high=1023, modes=_LACP, down=True),
    Option("ad_actor_system", 26, Type.MAC, "00:00:00:00:00:00", modes=_LACP),
    Option(
        "tlb_dynamic_lb", 27, Type.U8, "1", names=_OFF_ON, high=1, modes=frozenset("56"), down=True
    ),
    Option("arp_missed_max", 30, Type.U8, "2", low=1, high=255, modes=_ARP),
    Option("coupled_control", 32, Type.U8, "1", names=_OFF_ON, high=1, modes=_LACP, down=True),
    Option("broadcast_neighbor", 33, Type.U8, names=_OFF_ON, high=1, modes=_LACP),
)

OPTIONS: Final[Mapping[str, Option]] = {option.name: option for option in _TABLE}
"""The options by name, in the order in which they are to be set."""

ALIASES: Final[Mapping[str, str]] = {"num_unsol_na": "num_grat_arp"}
"""Second names in sysfs of an option."""

ACTIVE_SLAVE_ATTRIBUTE: Final = 2
"""IFLA_BOND_ACTIVE_SLAVE: a bond's state. Which port should be active is the option `primary`."""

_DELAYS: Final = ("updelay", "downdelay", "peer_notif_delay")
"""The kernel keeps them as multiples of miimon, and refuses them without it."""
_MAC: Final = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}", re.ASCII)
_NUMBER: Final = re.compile(r"[0-9]{1,10}", re.ASCII)
_PORT: Final = re.compile(r"[!-.0-~]{1,15}", re.ASCII)

_ZERONET: Final = ipaddress.IPv4Network("0.0.0.0/8")
_BROADCAST: Final = ipaddress.IPv4Address("255.255.255.255")


class BadOption(ValueError):
    """An option that the kernel would refuse. `option` is its name, as far as it is one."""

    def __init__(self, option: str, reason: str) -> None:
        super().__init__(f"{option}: {reason}")
        self.option = option
        self.reason = reason


def default(name: str, mode: str) -> str:
    """Return the value of an option in a bond of this mode that nobody has configured."""
    if name == "miimon" and mode in _MONITORED:
        return _DEFAULT_MIIMON
    return OPTIONS[name].default


def parse(text: str) -> dict[str, str]:
    """Return the values of a text such as `mode=802.3ad miimon=100`, the mode always and first.

    Raises BadOption when the kernel has no such option or value, not in this mode, or not together.
    """
    given: dict[str, str] = {}
    for word in text.split():
        name, equals, raw = word.partition("=")
        if not equals:
            raise BadOption(word, "is not of the form name=value")
        option = OPTIONS.get(ALIASES.get(name, name))
        if option is None:
            raise BadOption(name, "is not an option of bonds")
        value = _parsed(option, raw)
        if given.setdefault(option.name, value) != value:
            raise BadOption(name, "is given twice")
    mode = given.pop("mode", DEFAULT_MODE)
    for name in given:
        if mode not in OPTIONS[name].modes:
            raise BadOption(name, f"cannot be set in mode {mode_name(mode)}")
    return {"mode": mode} | _consistent(given, mode)


def parse_usable(text: str) -> tuple[dict[str, str], list[str]]:
    """Return the values of what `parse` would take of a text, and the names of the rest."""
    words = text.split()
    refused: list[str] = []
    while True:
        try:
            return parse(" ".join(words)), refused
        except BadOption as error:
            refused.append(error.option)
            words = [word for word in words if not _is_of(word, error.option)]


def render(values: Mapping[str, str]) -> str:
    """Return the text of options: the mode first, then by name. Inverse of `parse`."""
    names = sorted(values, key=lambda name: (name != "mode", name))
    return " ".join(f"{name}={values[name]}" for name in names)


def complete(values: Mapping[str, str], known: Collection[str] = OPTIONS) -> dict[str, str]:
    """Return the value of every option that can be set in the mode, given or default.

    Options that are not in `known` (those that the running kernel has) are left out unless they are
    given. So are the delays of a bond without miimon: they are 0, and cannot be set to it.
    """
    mode = values.get("mode", DEFAULT_MODE)
    found = {"mode": mode}
    for option in OPTIONS.values():
        if option.name in values:
            found[option.name] = values[option.name]
        elif mode in option.modes and option.name in known:
            found[option.name] = default(option.name, mode)
    if "miimon" not in values and values.get("arp_interval", "0") != "0":
        found["miimon"] = "0"
    if found.get("miimon", "0") == "0":
        for name in _DELAYS:
            found.pop(name, None)
    return found


def changes(current: Mapping[str, str], wanted: Mapping[str, str]) -> dict[str, str]:
    """Return what is to be set so that a bond with the options `current` has `wanted`, in order.

    A new mode or miimon also changes others in the kernel, so that these are set again.
    """
    again: Collection[str] = ()
    if current.get("mode") != wanted.get("mode", current.get("mode")):
        again = OPTIONS
    elif current.get("miimon") != wanted.get("miimon", current.get("miimon")):
        again = _DELAYS
    return {
        name: wanted[name]
        for name in OPTIONS
        if name in wanted and (name in again or current.get(name) != wanted[name])
    }


def needs_down(names: Collection[str]) -> bool:
    """Tell whether one of the options can be set only while the bond is down."""
    return any(OPTIONS[name].down for name in names if name in OPTIONS)


def needs_no_ports(names: Collection[str]) -> bool:
    """Tell whether one of the options can be set only while the bond has no ports."""
    return any(OPTIONS[name].portless for name in names if name in OPTIONS)


def has_active_ports_hwaddr(values: Mapping[str, str]) -> bool:
    """Tell whether a bond with these options leaves its ports their hardware addresses, so that
    nobody can set its own. In other modes than active-backup fail_over_mac has no effect.
    """
    return values.get("mode") == _ACTIVE_BACKUP and values.get("fail_over_mac", "0") != "0"


def mode_name(mode: str) -> str:
    """Return the kernel's name of a mode's number."""
    return next(name for name, number in MODES.items() if str(number) == mode)


def _is_of(word: str, option: str) -> bool:
    name = word.partition("=")[0]
    return option in {word, name, ALIASES.get(name, name)}


def _parsed(option: Option, raw: str) -> str:
    try:
        return _PARSERS.get(option.type, _number)(option, raw)
    except ValueError as error:
        raise BadOption(option.name, f"has a bad value: {error}") from error


def _number(option: Option, raw: str) -> str:
    if raw in option.names:
        return str(option.names[raw])
    if not _NUMBER.fullmatch(raw) or not option.low <= int(raw) <= option.high:
        named = f" or one of {', '.join(option.names)}" if option.names else ""
        raise ValueError(f"it must be a number from {option.low} to {option.high}{named}")
    return str(int(raw))


def _ipv4_list(_option: Option, raw: str) -> str:
    return _addresses(raw, ipaddress.IPv4Address)


def _ipv6_list(_option: Option, raw: str) -> str:
    return _addresses(raw, ipaddress.IPv6Address)


def _addresses(
    raw: str, address: Callable[[str], ipaddress.IPv4Address | ipaddress.IPv6Address]
) -> str:
    words = raw.split(",") if raw else []
    if len(words) > _MAX_TARGETS:
        raise ValueError(f"it may have at most {_MAX_TARGETS} addresses")
    found: list[str] = []
    for word in words:
        try:
            one = address(word)
        except ValueError:
            raise ValueError("it must be addresses, separated by commas") from None
        if "%" in word or one in _ZERONET or not _is_host(one):
            raise ValueError("an address must be one of a host")
        found.append(str(one))
    if len(set(found)) != len(found):
        raise ValueError("an address is given twice")
    return ",".join(found)


def _is_host(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    return not (
        address.is_unspecified
        or address.is_multicast
        or address.is_loopback
        or address == _BROADCAST
    )


def _mac(_option: Option, raw: str) -> str:
    value = raw.lower()
    if not _MAC.fullmatch(value) or int(value[:2], 16) & 1:
        raise ValueError("it must be a unicast hardware address")
    return value


def _port(_option: Option, raw: str) -> str:
    if raw and not _PORT.fullmatch(raw):
        raise ValueError("it must be the name of a device")
    return raw


_PARSERS: Final[Mapping[Type, Callable[[Option, str], str]]] = {
    Type.IPV4_LIST: _ipv4_list,
    Type.IPV6_LIST: _ipv6_list,
    Type.MAC: _mac,
    Type.PORT: _port,
}


def _consistent(given: dict[str, str], mode: str) -> dict[str, str]:
    """Refuse what excludes each other, and round delays as the kernel does."""
    arp = given.get("arp_interval", "0") != "0"
    miimon = int(given.get("miimon", "0" if arp else default("miimon", mode)))
    if miimon and arp:
        raise BadOption("arp_interval", "cannot be used together with miimon")
    if miimon and given.get("arp_validate", "0") != "0":
        raise BadOption("arp_validate", "cannot be used together with miimon")
    for name in _DELAYS:
        delay = int(given.get(name, "0"))
        if delay and not miimon:
            raise BadOption(name, "needs miimon")
        if delay:
            given[name] = str(delay - delay % miimon)
    return given
