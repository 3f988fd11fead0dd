# SPDX-License-Identifier: GPL-2.0-or-later
"""Options and state of bridges: IFLA_INFO_DATA by the names of the files in sysfs.

Source: IFLA_BR_* in <linux/if_link.h>, net/bridge/br_netlink.c and br_sysfs_br.c. The text of a
value is that of the file with its name in sysfs' directory `bridge`. No I/O.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final

from supervdsm.network import bridging
from supervdsm.network.kernel.shapes import Number, Raw, Value, Values

_NO_LINK_LOCAL_LEARN: Final = 0x1
"""BR_BOOLOPT_NO_LL_LEARN in struct br_boolopt_multi."""

_STATE: Final[Mapping[str, int]] = {
    "root_id": 10,
    "bridge_id": 11,
    "root_port": 12,
    "root_path_cost": 13,
    "topology_change": 14,
    "topology_change_detected": 15,
    "hello_timer": 16,
    "tcn_timer": 17,
    "topology_change_timer": 18,
    "gc_timer": 19,
}
_BOOLEAN_OPTIONS: Final = 46
"""IFLA_BR_MULTI_BOOLOPT: struct br_boolopt_multi, one bit for each option."""


def _mask(value: int) -> str:
    return f"{value:#x}"


def _protocol(value: bytes) -> str:
    return f"0x{value.hex()}"


def _bridge_id(value: bytes) -> str:
    return f"{value[:2].hex()}.{value[2:].hex()}"


def _hwaddr(value: bytes) -> str:
    return value.hex(":")


def _no_link_local_learn(value: bytes) -> str:
    return str(value[0] & _NO_LINK_LOCAL_LEARN)


_BYTES: Final[Mapping[str, Callable[[bytes], str]]] = {
    "vlan_protocol": _protocol,
    "group_addr": _hwaddr,
    "root_id": _bridge_id,
    "bridge_id": _bridge_id,
    "no_linklocal_learn": _no_link_local_learn,
}
_TEXTS: Final[Mapping[str, Callable[[Any], str]]] = {
    **dict.fromkeys((*bridging.OPTIONS, *_STATE), str),
    "group_fwd_mask": _mask,
    **_BYTES,
}
_CHOSEN: Final = (*bridging.OPTIONS, "no_linklocal_learn")
_CHANGING: Final = tuple(_STATE)

WANTED: Final[Mapping[int, Value]] = {
    attribute: (Raw if name in _BYTES else Number)(name)
    for name, attribute in (
        *((option.name, option.attribute) for option in bridging.OPTIONS.values()),
        *_STATE.items(),
        ("no_linklocal_learn", _BOOLEAN_OPTIONS),
    )
}
"""The attributes in IFLA_INFO_DATA of a bridge."""

_IGNORED: Final = "hash_elasticity"
"""The kernel takes any number for it and keeps its own."""
_HEXADECIMAL: Final = frozenset({"group_fwd_mask", "vlan_protocol"})


def options(values: Values) -> dict[str, str]:
    """Return a bridge's options and state."""
    # Most bridges of a host have the same options, and each its own state.
    found = dict(_texts(tuple(map(values.get, _CHOSEN))))
    for name in _CHANGING:
        if name in values:
            found[name] = _TEXTS[name](values[name])
    return found


def settable(options: Mapping[str, str]) -> dict[str, str]:
    """Return those of the options that one can choose, with hexadecimal numbers in decimal."""
    found = {name: options[name] for name in _CHOSEN if name in options}
    found.pop(_IGNORED, None)
    for name in _HEXADECIMAL & found.keys():
        found[name] = str(int(found[name], 16))
    return found


@lru_cache(maxsize=256)
def _texts(raw: tuple[Any, ...]) -> Mapping[str, str]:
    """Return the options whose values in the order of _CHOSEN are `raw`, None for none."""
    found = {
        name: _TEXTS[name](value)
        for name, value in zip(_CHOSEN, raw, strict=True)
        if value is not None
    }
    if "vlan_protocol" not in found:
        # A kernel without VLAN filtering tells its state all the same, and has no file for it.
        found.pop("vlan_filtering", None)
    return found
