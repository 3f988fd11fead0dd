# SPDX-License-Identifier: GPL-2.0-or-later
"""What differs between the running and the wanted configuration, and which devices that is about.

A host may have a thousand networks. What nobody changed, and what shares no device with a change
that could harm it, is left out. No I/O.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import Final, TypeVar

from supervdsm.network.config import Bond, Configuration, Network
from supervdsm.network.plan.state import Route, Rule, State, source_table

_Entry = TypeVar("_Entry", Network, Bond)


class Difference:
    """A change of configuration, with what the current state says of its devices."""

    def __init__(
        self,
        current: State,
        running: Configuration,
        wanted: Configuration,
        named: Collection[str],
    ) -> None:
        """`named` are networks and bonds that are to be applied even if they are unchanged."""
        self.current: Final = current
        self.running: Final = running
        self.wanted: Final = wanted
        self.networks: Final = _changed(running.networks, wanted.networks, named)
        """Names of the networks that come, go or change."""
        self.bonds: Final = _changed(running.bonds, wanted.bonds, named) | wanted.unwanted
        """Names of the bonds that come, go or change."""
        self.bonds_gone: Final = self.bonds - wanted.bonds.keys()
        self._networks_on: Final = _grouped(
            (network.base, network) for network in wanted.networks.values()
        )
        self._vlans_on: Final = _grouped(
            (device.lower, device.name) for device in current.devices.values()
        )
        self._ports_of: Final = _grouped(
            (device.master or "", device.name) for device in current.devices.values()
        )
        self._bond_of: Final = {
            nic: bond.name for bond in wanted.bonds.values() for nic in bond.nics
        }
        self.in_use: Final = frozenset(
            name for network in wanted.networks.values() for name in devices(network)
        )
        """Devices of wanted networks."""
        self.untagged_before: Final = frozenset(
            running.networks[name].base
            for name in self.networks & running.networks.keys()
            if running.networks[name].vlan is None
        )
        """NICs and bonds that were themselves the device or the port of a network that changes."""
        self._routes_of: Final = _grouped((route.device, route) for route in current.routes)
        self._rules_of: Final = _grouped(
            (name, rule) for rule in current.rules for name in (str(rule.table), rule.iif)
        )

    def networks_on(self, base: str) -> list[Network]:
        """Return the networks wanted on a NIC or bond."""
        return self._networks_on.get(base, []) if base else []

    def vlans_on(self, name: str) -> list[str]:
        """Return the VLANs that are on a device now."""
        return self._vlans_on.get(name, []) if name else []

    def ports_of(self, name: str) -> list[str]:
        """Return the ports that a bridge or bond has now."""
        return self._ports_of.get(name, []) if name else []

    def routes_of(self, name: str) -> list[Route]:
        """Return the routes by way of a device."""
        return self._routes_of.get(name, [])

    def rules_of(self, name: str) -> list[Rule]:
        """Return the rules of a device's source routes."""
        by_table = self._rules_of.get(str(source_table(name)), [])
        return by_table + self._rules_of.get(name, [])

    def bond_of(self, nic: str) -> str:
        """Return the bond that a NIC shall be a port of; empty for none."""
        return self._bond_of.get(nic, "")

    def leaves_bond(self, nic: str) -> bool:
        """Tell whether a NIC is now in a bond of ours in which it shall not be."""
        device = self.current.devices.get(nic)
        master = device.master if device else None
        return bool(master) and master != self.bond_of(nic) and self.is_bond_of_ours(master)

    def is_bond_of_ours(self, name: str | None) -> bool:
        """Tell whether it is a bond that is or was configured, or that shall go."""
        return name in self.running.bonds or name in self.wanted.bonds or name in self.bonds_gone

    @property
    def absent(self) -> frozenset[str]:
        """Devices of networks that were that nothing wanted needs, and bonds that shall go."""
        old = {
            device
            for name in self.networks & self.running.networks.keys()
            for device in devices(self.running.networks[name])
        }
        return (frozenset(old) | self.bonds_gone) - self.in_use - self.wanted.bonds.keys()

    @property
    def bases(self) -> list[str]:
        """NICs and bonds with a network that changed, bonds that changed, and their NICs."""
        found = set(self.bonds & self.wanted.bonds.keys())
        for name in self.networks:
            for configuration in (self.running, self.wanted):
                network = configuration.networks.get(name)
                if network is not None and network.base:
                    found.add(network.base)
        for name in self.bonds:
            found.update(self.ports_of(name))
            for configuration in (self.running, self.wanted):
                bond = configuration.bonds.get(name)
                found.update(bond.nics if bond else ())
        for name in list(found):
            bond = self.wanted.bonds.get(name)
            found.update(bond.nics if bond else ())
        return sorted(found - self.bonds_gone)

    @property
    def disrupted(self) -> frozenset[str]:
        """Devices that may go down, come up or be deleted on the way, with all that is above."""
        ports = {nic for name in self.bonds for nic in self.ports_of(name)}
        ports.update(
            nic
            for name in self.bonds & self.wanted.bonds.keys()
            for nic in self.wanted.bonds[name].nics
        )
        opened = {
            name
            for name in self.bases
            if name in self.current.devices and not self.current.devices[name].up
        }
        return self.absent | self.bonds | ports | opened


def devices(network: Network) -> list[str]:
    """Return the devices that exist only for a network: its bridge and its VLAN."""
    found = [network.name] if network.bridged else []
    if network.vlan is not None:
        found.append(network.southbound)
    return found


def _changed(
    running: Mapping[str, _Entry], wanted: Mapping[str, _Entry], named: Iterable[str]
) -> frozenset[str]:
    asked = {name for name in named if name in running or name in wanted}
    return frozenset(asked).union(
        name for name in running.keys() | wanted.keys() if running.get(name) != wanted.get(name)
    )


_Thing = TypeVar("_Thing")


def _grouped(pairs: Iterable[tuple[str, _Thing]]) -> dict[str, list[_Thing]]:
    found: defaultdict[str, list[_Thing]] = defaultdict(list)
    for key, value in pairs:
        found[key].append(value)
    return dict(found)
