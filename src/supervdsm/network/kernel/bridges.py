# SPDX-License-Identifier: GPL-2.0-or-later
"""Options and state of bridges: IFLA_INFO_DATA by the names of the files in sysfs.

Source: IFLA_BR_* in <linux/if_link.h>, net/bridge/br_netlink.c and br_sysfs_br.c. The text of a
value is that of the file with its name in sysfs' directory `bridge`. No I/O.
"""

import struct
from collections.abc import Callable, Mapping
from typing import Final

from supervdsm.network import bridging
from supervdsm.network.kernel import attributes

_NO_LINK_LOCAL_LEARN: Final = 0x1
"""BR_BOOLOPT_NO_LL_LEARN in struct br_boolopt_multi."""


def _decimal(value: memoryview) -> str:
    return str(attributes.number(value))


def _mask(value: memoryview) -> str:
    return f"{attributes.number(value):#x}"


def _protocol(value: memoryview) -> str:
    return f"0x{value.hex()}"


def _bridge_id(value: memoryview) -> str:
    return f"{value[:2].hex()}.{value[2:].hex()}"


def _hwaddr(value: memoryview) -> str:
    return value.hex(":")


def _no_link_local_learn(value: memoryview) -> str:
    (bits,) = struct.unpack_from("=I", value)
    return str(int(bool(bits & _NO_LINK_LOCAL_LEARN)))


_TEXTS: Final[Mapping[str, Callable[[memoryview], str]]] = {
    "group_fwd_mask": _mask,
    "vlan_protocol": _protocol,
    "group_addr": _hwaddr,
}
"""Of the options that are no plain numbers."""

_FILES: Final[Mapping[int, tuple[str, Callable[[memoryview], str]]]] = {
    option.attribute: (option.name, _TEXTS.get(option.name, _decimal))
    for option in bridging.OPTIONS.values()
} | {
    10: ("root_id", _bridge_id),
    11: ("bridge_id", _bridge_id),
    12: ("root_port", _decimal),
    13: ("root_path_cost", _decimal),
    14: ("topology_change", _decimal),
    15: ("topology_change_detected", _decimal),
    16: ("hello_timer", _decimal),
    17: ("tcn_timer", _decimal),
    18: ("topology_change_timer", _decimal),
    19: ("gc_timer", _decimal),
    46: ("no_linklocal_learn", _no_link_local_learn),
}

_SETTABLE: Final = frozenset({*bridging.OPTIONS, "no_linklocal_learn"} - {"hash_elasticity"})
"""What one can choose. The rest is the bridge's state, and hash_elasticity is ignored."""


def decode(data: memoryview) -> dict[str, str]:
    """Decode IFLA_INFO_DATA of a bridge."""
    found = {}
    for kind, value in attributes.select(data, 0, _FILES).items():
        name, text = _FILES[kind]
        found[name] = text(value)
    if "vlan_protocol" not in found:
        # A kernel without VLAN filtering tells its state all the same, and has no file for it.
        found.pop("vlan_filtering", None)
    return found


def settable(options: Mapping[str, str]) -> dict[str, str]:
    """Return those of the options that one can choose, with hexadecimal numbers in decimal."""
    return {
        name: str(int(value, 16)) if value.startswith("0x") else value
        for name, value in options.items()
        if name in _SETTABLE
    }
