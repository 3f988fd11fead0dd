# SPDX-License-Identifier: GPL-2.0-or-later
"""Hostile changes of networks: each is a right one but for one thing.

All devices that they name are there, so that it is that one thing that they are refused for.
"""

import re
from collections.abc import Iterator
from typing import Any, Final

from security.attack import About, Attack
from security.values import NAMES, NUMBERS, PATHS
from security.verbs import BRIDGE, FOREIGN, NICS, good

NETWORK: Final = "net7"
BOND: Final = "bond7"

_ATTRIBUTES: Final = (
    *("nic", "bonding", "vlan", "bridged", "mtu", "stp", "defaultRoute", "bootproto", "ipaddr"),
    *("netmask", "gateway", "ipv6addr", "ipv6gateway", "ipv6autoconf", "dhcpv6", "switch"),
    *("nameservers", "hostQos", "custom", "prefix", "remove", "hooks", "__class__", "exec"),
)
_FLAGS: Final = frozenset(
    {
        *("bridged", "stp", "defaultRoute", "ipv6autoconf", "dhcpv6", "remove"),
        *("connectivityCheck", "commitOnSuccess"),
    }
)
_NUMBERS: Final = frozenset({"vlan", "prefix", "connectivityTimeout"})
_OUT_OF_RANGE: Final = (
    *(("mtu", 0), ("mtu", 67), ("mtu", 65536)),
    *(("vlan", 4095), ("vlan", 65536), ("prefix", 33)),
)
"""Right numbers, but for what they are of."""
_INSTEAD: Final = {"nic": ("vlan",), "bonding": ("nic", "vlan"), "prefix": ("netmask",)}
"""What must go, for the attribute to be looked at. A VLAN is named by its NIC."""
_ANY_FIELD: Final = frozenset({"remove"})
"""Attributes that are refused by the name of another one beside them."""
_NAME: Final = re.compile(r"(?!-)[!-~]{1,15}", re.ASCII)
"""What the kernel lets a device be called, but for these."""
_NO_NAMES: Final = frozenset({"all", "default"})
_PARTS: Final = 4
"""An attribute gets every fourth of all values, and the next attribute the ones beside them."""
_VALUES: Final[tuple[tuple[About, str], ...]] = (
    *((About.PATH, each) for each in PATHS),
    *((About.NAME, each) for each in NAMES),
)
_ANYTHING: Final[tuple[tuple[About, object], ...]] = (
    *_VALUES,
    *((About.NUMBER, each) for each in NUMBERS),
    *((About.TYPE, each) for each in ([], [[]], {"a": {"b": "c"}})),
)


def attacks(verb: str) -> Iterator[Attack]:
    """Yield the hostile calls of a verb that takes a request."""
    yield from _networks(verb)
    yield from _attributes(verb)
    yield from _bonds(verb)
    yield from _options(verb)


def _networks(verb: str) -> Iterator[Attack]:
    """By their names, and as what is no network."""
    whole = good(verb)["networks"][NETWORK]
    for about, value in _VALUES:
        passes = _is_name(value)
        yield _one(verb, about, "networks", {value: whole}, "networks", value, passes=passes)
        yield _one(verb, about, "networks", {value: {"remove": True}}, "networks", value)
    for about, anything in _ANYTHING:
        yield _one(verb, about, "networks", {NETWORK: anything}, f"networks.{NETWORK}", anything)


def _attributes(verb: str) -> Iterator[Attack]:
    for which, name in enumerate(_ATTRIBUTES):
        for about, value in _ANYTHING[which % _PARTS :: _PARTS]:
            if not _is_right(name, value):
                yield _attribute(verb, about, name, value)
    for name, number in _OUT_OF_RANGE:
        yield _attribute(verb, About.NUMBER, name, number)
        yield _attribute(verb, About.NUMBER, name, str(number))
    for nic in ("lo", BRIDGE, FOREIGN):
        yield _attribute(verb, About.NAME, "nic", nic)
    for about, value in _VALUES:
        yield _attribute(verb, about, "nameservers", [value])
        if value != "0":
            custom = {"bridge_opts": f"group_fwd_mask={value}"}
            yield _attribute(verb, about, "custom", custom)
    for number in NUMBERS:
        curve = {"out": {"ls": {"m2": number}}}
        yield _attribute(verb, About.NUMBER, "hostQos", curve)


def _bonds(verb: str) -> Iterator[Attack]:
    bond = good(verb)["bondings"][BOND]
    where = f"bondings.{BOND}"
    for about, value in _VALUES:
        yield _one(verb, about, "bondings", {value: bond}, "bondings", value)
        for name, changed in (
            ("nics", {"nics": [NICS[1], value]}),
            ("options", {"options": f"mode=1 {value}"}),
            ("hwaddr", {"hwaddr": value}),
        ):
            # Blanks between options, and no address, are nothing.
            if value.strip() or name == "nics":
                whole = {BOND: bond | changed}
                yield _one(verb, about, "bondings", whole, f"{where}.{name}", value)
    for nic in ("lo", BRIDGE, FOREIGN):
        whole = {BOND: bond | {"nics": [NICS[1], nic]}}
        yield _one(verb, About.NAME, "bondings", whole, f"{where}.nics", nic)
    for about, anything in _ANYTHING:
        yield _one(verb, about, "bondings", {BOND: anything}, where, anything)


def _options(verb: str) -> Iterator[Attack]:
    options = good(verb)["options"]
    for about, value in _ANYTHING:
        for name in ("connectivityCheck", "connectivityTimeout", "commitOnSuccess"):
            if not _is_right(name, value):
                whole = options | {name: value}
                yield _one(verb, about, "options", whole, f"options.{name}", value)


def _attribute(verb: str, about: About, name: str, value: object) -> Attack:
    network = dict(good(verb)["networks"][NETWORK])
    for other in _INSTEAD.get(name, ()):
        del network[other]
    field = f"networks.{NETWORK}" if name in _ANY_FIELD else f"networks.{NETWORK}.{name}"
    return _one(verb, about, "networks", {NETWORK: network | {name: value}}, field, value)


def _one(
    verb: str,
    about: About,
    argument: str,
    whole: dict[str, Any],
    field: str,
    value: object,
    *,
    passes: bool = False,
) -> Attack:
    return Attack(verb, about, {**good(verb), argument: whole}, field, value, passes)


def _is_right(name: str, value: object) -> bool:
    """Whether a value is one that the attribute may have; empty text is as if it was not there."""
    return (
        value == ""
        or (name in _FLAGS and value in ("true", "0"))
        or (name in _NUMBERS and value == "0")
        or (name == "nameservers" and value == [])
    )


def _is_name(value: str) -> bool:
    return bool(_NAME.fullmatch(value)) and not set(":./%") & set(value) and value not in _NO_NAMES
