# SPDX-License-Identifier: GPL-2.0-or-later
"""Options and speed of bonds, from the files of sysfs' directory `bonding`. No I/O.

Source: Documentation/networking/bonding.rst and drivers/net/bonding. A file holds the number, or
the name and the number ("802.3ad 4"); a list is separated by spaces. It is empty when the mode has
no such option.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from supervdsm.network import bonding

_ACTIVE_BACKUP: Final = "1"
_BROADCAST: Final = "3"
_LISTS: Final = frozenset({"arp_ip_target", "ns_ip6_target"})

_SHOWN: Final = {name: name for name in bonding.OPTIONS if name != "mode"} | dict(bonding.ALIASES)
"""Files of options, with the options' names. What is not here is a bond's state, not an option."""


def mode(raw: Mapping[str, str]) -> str:
    """Return the mode as a number: "4" for 802.3ad. Empty when the kernel did not tell."""
    return _value("mode", raw.get("mode", ""))


def options(raw: Mapping[str, str]) -> dict[str, str]:
    """Return the mode, and the options that differ from the mode's defaults, as numbers."""
    bond_mode = mode(raw)
    found = {"mode": bond_mode}
    for name, option in _SHOWN.items():
        value = _value(name, raw.get(name, ""))
        if value not in {"", bonding.default(option, bond_mode)}:
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
