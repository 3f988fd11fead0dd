# SPDX-License-Identifier: GPL-2.0-or-later
"""A snapshot with its indexes: devices by index and by name, ports by master, speeds. No I/O."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Final

from supervdsm.network.kernel.devices import NicPatterns, Role, roles
from supervdsm.network.kernel.model import Link, LinkMode, Snapshot
from supervdsm.network.report import bonds

_UNLINKED: Final = LinkMode()
_PORT_OPTIONS: Final = ("active_slave", "primary")


class View:
    """What capabilities and statistics ask of a snapshot."""

    def __init__(self, snapshot: Snapshot, patterns: NicPatterns) -> None:
        self.snapshot = snapshot
        self.by_index: Mapping[int, Link] = {link.index: link for link in snapshot.links}
        self.by_name: Mapping[str, Link] = {link.name: link for link in snapshot.links}
        self.roles: Mapping[int, Role] = roles(snapshot.links, patterns)
        ports: dict[int, list[Link]] = defaultdict(list)
        for link in snapshot.links:
            if link.master:
                ports[link.master].append(link)
        self._ports: Mapping[int, list[Link]] = ports

    def shown(self, role: Role) -> list[Link]:
        """Return the devices of a role, sorted by name."""
        links = (link for link in self.snapshot.links if self.roles.get(link.index) is role)
        return sorted(links, key=lambda link: link.name)

    def ports(self, link: Link) -> list[str]:
        """Return the names of a bridge's or bond's ports, sorted."""
        return sorted(port.name for port in self._ports.get(link.index, ()))

    def bond_options(self, link: Link) -> Mapping[str, str]:
        """Return the options and the state of a bond, with the names of ports."""
        found = dict(link.options)
        for name in _PORT_OPTIONS:
            index = found.get(name, "")
            port = self.by_index.get(int(index)) if index else None
            found[name] = port.name if port else ""
        return found

    def speed(self, link: Link) -> int:
        """Return the speed of a NIC, a bond, or of the device below a VLAN, in Mbit/s; 0 if
        unknown.
        """
        role = self.roles.get(link.index)
        if role is Role.BOND:
            raw = self.bond_options(link)
            speeds = {port.name: self.mode(port).speed for port in self._ports.get(link.index, ())}
            return bonds.speed(bonds.mode(raw), raw.get("active_slave", ""), speeds)
        if role is Role.VLAN:
            lower = self.by_index.get(link.lower)
            return self.speed(lower) if lower else 0
        return self.mode(link).speed

    def mode(self, link: Link) -> LinkMode:
        """Return how a NIC or the port of a bond is linked."""
        return self.snapshot.modes.get(link.index, _UNLINKED)
