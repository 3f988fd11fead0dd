# SPDX-License-Identifier: GPL-2.0-or-later
"""Options and speed of bonds, from the files of sysfs' directory `bonding`. No I/O.

Source: Documentation/networking/bonding.rst and drivers/net/bonding. A file holds the number, or
the name and the number ("802.3ad 4"); a list is separated by spaces. It is empty when the mode has
no such option.
"""

from collections.abc import Mapping, Sequence
from typing import Final

_ACTIVE_BACKUP: Final = "1"
_BROADCAST: Final = "3"
_LISTS: Final = frozenset({"arp_ip_target", "ns_ip6_target"})

_DEFAULTS: Final[Mapping[str, str]] = {
    "ad_actor_sys_prio": "65535",
    "ad_actor_system": "00:00:00:00:00:00",
    "ad_select": "0",
    "ad_user_port_key": "0",
    "all_slaves_active": "0",
    "arp_all_targets": "0",
    "arp_interval": "0",
    "arp_ip_target": "",
    "arp_missed_max": "2",
    "arp_validate": "0",
    "broadcast_neighbor": "0",
    "coupled_control": "1",
    "downdelay": "0",
    "fail_over_mac": "0",
    "lacp_active": "1",
    "lacp_rate": "0",
    "lp_interval": "1",
    "miimon": "0",
    "min_links": "0",
    "ns_ip6_target": "",
    "num_grat_arp": "1",
    "num_unsol_na": "1",
    "packets_per_slave": "1",
    "peer_notif_delay": "0",
    "primary": "",
    "primary_reselect": "0",
    "resend_igmp": "1",
    "tlb_dynamic_lb": "1",
    "updelay": "0",
    "use_carrier": "1",
    "xmit_hash_policy": "0",
}
"""The kernel's defaults. What is not here is a bond's state, not an option."""

_MIIMON_MODES: Final = frozenset({"4", "5", "6"})
"""Modes that cannot work without link monitoring: the kernel then sets miimon to 100."""
_MIIMON_DEFAULT: Final = "100"


def mode(raw: Mapping[str, str]) -> str:
    """Return the mode as a number: "4" for 802.3ad. Empty when the kernel did not tell."""
    return _value("mode", raw.get("mode", ""))


def options(raw: Mapping[str, str]) -> dict[str, str]:
    """Return the mode, and the options that differ from the mode's defaults, as numbers."""
    bond_mode = mode(raw)
    found = {"mode": bond_mode}
    for name, default in _DEFAULTS.items():
        value = _value(name, raw.get(name, ""))
        if name == "miimon" and bond_mode in _MIIMON_MODES:
            default = _MIIMON_DEFAULT
        if value not in {"", default}:
            found[name] = value
    return found


def speed(bond_mode: str, active_port: str, ports: Mapping[str, int]) -> int:
    """Return the speed of a bond in Mbit/s from the speeds of its ports, 0 for a port that is down.

    An active-backup bond is as fast as its active port, a broadcasting one as its slowest port
    that is up, and the others as all their ports together.
    """
    if bond_mode == _ACTIVE_BACKUP:
        return ports.get(active_port, 0)
    if bond_mode == _BROADCAST:
        return min((value for value in ports.values() if value), default=0)
    return sum(ports.values())


def _value(name: str, text: str) -> str:
    words: Sequence[str] = text.split()
    if name in _LISTS:
        return ",".join(words)
    return words[-1] if words else ""
