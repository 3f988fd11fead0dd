# SPDX-License-Identifier: GPL-2.0-or-later
"""Which of the kernel's devices oVirt shows, and as what.

Bridges, bonds and VLANs are what rtnetlink calls so. A NIC is a device of a bus (PCI, virtio …);
ports of bonds and bridges stay NICs. A veth or dummy is a NIC only when its name matches a
pattern, since containers and tests make many that are not ours. Loopback, taps, tunnels and Open
vSwitch's own devices are not shown.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from fnmatch import translate
from functools import lru_cache
from typing import Final

from supervdsm.network.kernel.model import Link

_FAKE_KINDS: Final = frozenset({"veth", "dummy"})


class Role(Enum):
    """What a device is for oVirt."""

    NIC = "nic"
    BOND = "bond"
    BRIDGE = "bridge"
    VLAN = "vlan"


@dataclass(frozen=True)
class NicPatterns:
    """Shell patterns of names: NICs to hide, and veths and dummies to take for NICs."""

    hidden: tuple[str, ...] = ("w*", "usb*")
    fake: tuple[str, ...] = ("dummy_*", "veth_*")


def roles(links: Iterable[Link], patterns: NicPatterns) -> dict[int, Role]:
    """Return the role of each device that is shown, by its index."""
    found = ((link.index, role(link, patterns)) for link in links)
    return {index: device_role for index, device_role in found if device_role is not None}


def role(link: Link, patterns: NicPatterns) -> Role | None:
    """Return the role of a device, None when it is not shown.

    A VLAN whose lower device is in another network namespace is none of this host's.
    """
    match link.kind:
        case "bridge":
            return Role.BRIDGE
        case "bond":
            return Role.BOND
        case "vlan":
            return Role.VLAN if link.lower else None
    fake = link.kind in _FAKE_KINDS and _matcher(patterns.fake)(link.name)
    if (link.physical or fake) and not _matcher(patterns.hidden)(link.name):
        return Role.NIC
    return None


@lru_cache
def _matcher(patterns: tuple[str, ...]) -> Callable[[str], re.Match[str] | None]:
    """Return what tells whether a name matches one of the patterns."""
    return re.compile("|".join(map(translate, patterns)) or r"(?!)").match
