# SPDX-License-Identifier: GPL-2.0-or-later
"""`custom.bridge_opts`: `name=value` words for the files of sysfs' directory `bridge`.

Source: upstream-vdsm 3.1; net/bridge/br_sysfs_br.c and the functions that it calls for the ranges.
Numbers come out decimal, as in plan.state. Nothing else ever becomes a file's name. No I/O.
"""

import re
from collections.abc import Callable, Mapping
from typing import Final

_U16: Final = (0, 2**16 - 1)
_U32: Final = (0, 2**32 - 1)
_U64: Final = (0, 2**63 - 1)
_FLAG: Final = (0, 1)
_AT_LEAST_A_SECOND: Final = (100, 24 * 3600 * 100)
"""The kernel changes what is outside of it."""

_RANGES: Final[Mapping[str, tuple[int, int]]] = {
    "ageing_time": _U32,
    "default_pvid": (0, 4094),
    "forward_delay": (200, 3000),
    "group_addr": (0, 0),
    "group_fwd_mask": _U16,
    "hash_max": _U32,
    "hello_time": (100, 1000),
    "max_age": (600, 4000),
    "multicast_igmp_version": (2, 3),
    "multicast_last_member_count": _U32,
    "multicast_last_member_interval": _U64,
    "multicast_membership_interval": _U64,
    "multicast_mld_version": (1, 2),
    "multicast_querier": _FLAG,
    "multicast_querier_interval": _U64,
    "multicast_query_interval": _AT_LEAST_A_SECOND,
    "multicast_query_response_interval": _U64,
    "multicast_query_use_ifaddr": _FLAG,
    "multicast_router": (0, 2),
    "multicast_snooping": _FLAG,
    "multicast_startup_query_count": _U32,
    "multicast_startup_query_interval": _AT_LEAST_A_SECOND,
    "multicast_stats_enabled": _FLAG,
    "nf_call_arptables": _FLAG,
    "nf_call_ip6tables": _FLAG,
    "nf_call_iptables": _FLAG,
    "no_linklocal_learn": _FLAG,
    "priority": _U16,
    "stp_state": _FLAG,
    "vlan_filtering": _FLAG,
    "vlan_protocol": (0, 2**16 - 1),
    "vlan_stats_enabled": _FLAG,
    "vlan_stats_per_port": _FLAG,
}
_IGNORED: Final = frozenset({"hash_elasticity"})
"""The kernel takes any value and keeps its own."""

_NUMBER: Final = re.compile(r"0x[0-9a-f]{1,16}|[0-9]{1,19}", re.ASCII | re.IGNORECASE)
_OCTETS: Final = re.compile(r"[0-9a-f]{1,2}(:[0-9a-f]{1,2}){5}", re.ASCII | re.IGNORECASE)
_RESERVED_MASK: Final = 0x7
"""STP, MAC control and slow protocols are never forwarded (BR_GROUPFWD_RESTRICTED)."""
_GROUP: Final = (0x01, 0x80, 0xC2, 0x00, 0x00)
_RESERVED_GROUPS: Final = frozenset({1, 2, 3})
_VLAN_PROTOCOLS: Final = frozenset({0x8100, 0x88A8})


class BadBridgeOption(ValueError):
    """A word that the kernel would refuse. The text is the reason; `word` is the caller's."""

    def __init__(self, word: str, reason: str) -> None:
        super().__init__(reason)
        self.word = word


def parse(text: str) -> dict[str, str]:
    """Return the options by name, sorted. Raises BadBridgeOption."""
    found: dict[str, str] = {}
    for word in text.split():
        name, equals, raw = word.partition("=")
        if not equals:
            raise BadBridgeOption(word, "is not of the form name=value")
        if name in _IGNORED:
            continue
        if name not in _RANGES:
            raise BadBridgeOption(word, "is not an option of bridges that can be set")
        try:
            value = _PARSERS.get(name, _number)(name, raw)
        except ValueError as error:
            raise BadBridgeOption(word, str(error)) from error
        if found.setdefault(name, value) != value:
            raise BadBridgeOption(word, "is given twice")
    return dict(sorted(found.items()))


def parse_usable(text: str) -> tuple[dict[str, str], list[str]]:
    """Return the options of what `parse` would take of a text, and the words of the rest."""
    words = text.split()
    refused: list[str] = []
    while True:
        try:
            return parse(" ".join(words)), refused
        except BadBridgeOption as error:
            refused.append(error.word)
            words.remove(error.word)


def render(options: Mapping[str, str]) -> str:
    """Return the text of options, sorted. Inverse of `parse`."""
    return " ".join(f"{name}={value}" for name, value in sorted(options.items()))


def _number(name: str, raw: str) -> str:
    return str(_in_range(name, raw))


def _in_range(name: str, raw: str) -> int:
    low, high = _RANGES[name]
    hexadecimal = raw[:2].lower() == "0x"
    if not _NUMBER.fullmatch(raw) or not low <= int(raw, 16 if hexadecimal else 10) <= high:
        raise ValueError(f"must be a number from {low} to {high}")
    return int(raw, 16 if hexadecimal else 10)


def _mask(name: str, raw: str) -> str:
    mask = _in_range(name, raw)
    if mask & _RESERVED_MASK:
        raise ValueError("must leave out the groups that are never forwarded (bits 0 to 2)")
    return str(mask)


def _protocol(name: str, raw: str) -> str:
    protocol = _in_range(name, raw)
    if protocol not in _VLAN_PROTOCOLS:
        raise ValueError("must be 0x8100 or 0x88a8")
    return str(protocol)


def _group(_name: str, raw: str) -> str:
    octets = [int(octet, 16) for octet in raw.split(":")] if _OCTETS.fullmatch(raw) else []
    if tuple(octets[:5]) != _GROUP or octets[5] > 0xF or octets[5] in _RESERVED_GROUPS:
        raise ValueError("must be 01:80:c2:00:00:0x, and none of the reserved ones")
    return ":".join(f"{octet:02x}" for octet in octets)


_PARSERS: Final[Mapping[str, Callable[[str, str], str]]] = {
    "group_addr": _group,
    "group_fwd_mask": _mask,
    "vlan_protocol": _protocol,
}
