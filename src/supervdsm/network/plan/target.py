# SPDX-License-Identifier: GPL-2.0-or-later
"""`target(current, running, wanted)`: the state that a change of configuration asks for.

It has the devices of the networks and bonds that change, what these share with others, and all that
the kernel may harm on the way: its names are the ones that a rollback must know. No I/O.

What upstream-vdsm 3.5 leaves open is decided here:
- The MTU of a NIC or bond is the largest of its networks' and of foreign VLANs' on it, or 1500. A
  bond's NICs have its MTU.
- A NIC or bond that carries only VLANs keeps its own addresses: they are not ours. One that was a
  network's device, or a port, has none left and IPv6 off, so that it takes part in nothing.
- Where nothing asks for IPv6 on a network it is off: guests' networks do not reach the host.
- Options of a bridge that are no longer named stay as they are; those of a bond go back to default.
- Without name servers of the network with the default route, resolv.conf is left alone.
"""

from collections.abc import Collection, Iterable
from typing import Final

from msgspec.structs import replace

from supervdsm.network import bonding
from supervdsm.network.config import DEFAULT_MTU, Bond, Configuration, Network
from supervdsm.network.plan.difference import Difference
from supervdsm.network.plan.protocols import Protocols, protocols
from supervdsm.network.plan.state import Device, Dhcp, Kind, Route, Rule, State
from vdsm_contract.types import DeviceQos

_UNTAGGED: Final = -1
"""The class of traffic without a tag (upstream-vdsm 3.1)."""


def target(
    current: State, running: Configuration, wanted: Configuration, named: Collection[str] = ()
) -> State:
    """Return the state that leads from the configuration `running` to `wanted`.

    Networks and bonds that both have alike are left out, but for `named`: those are brought back
    to what is configured even if something else has changed them in the kernel.
    """
    return _Target(Difference(current, running, wanted, named)).state()


class _Target:
    def __init__(self, difference: Difference) -> None:
        self._change = difference
        self._current = difference.current
        self._absent = set(difference.absent)
        self._devices: dict[str, Device] = {}
        self._routes: set[Route] = set()
        self._rules: set[Rule] = set()
        self._dhcp: dict[str, Dhcp] = {}

    def state(self) -> State:
        change = self._change
        disrupted = change.disrupted
        for base in change.bases:
            self._add_base(base)
        names = set(change.networks & change.wanted.networks.keys())
        for base in disrupted:
            names.update(network.name for network in change.networks_on(base))
        nameservers = None
        for name in sorted(names):
            network = change.wanted.networks[name]
            self._add_network(network)
            if network.defaultRoute and network.nameservers:
                nameservers = network.nameservers
        self._add_bystanders(disrupted)
        return State(
            devices=self._devices,
            absent=frozenset(self._absent),
            routes=frozenset(self._routes),
            rules=frozenset(self._rules),
            dhcp=self._dhcp,
            nameservers=nameservers,
        )

    # -- NICs and bonds --------------------------------------------------------------------------

    def _add_base(self, name: str) -> None:
        bond = self._change.wanted.bonds.get(name)
        found = self._current.devices.get(name)
        if bond is None and found is None and not self._is_used(name):
            return
        kind: Kind = found.kind if found else "nic"
        if bond is not None:
            kind = "bond"
        device = Device(
            name=name,
            kind=kind,
            up=True,
            mtu=self._mtu(name),
            hwaddr=self._hwaddr(name),
            master=self._master(name),
            # A NIC may be anything that somebody else made: it is never made anew.
            lower=found.lower if found and bond is None else "",
            vlan=found.vlan if found and bond is None else 0,
            options=self._options(bond) if bond else None,
            qos=self._qos(name),
        )
        untagged = self._untagged(name)
        if untagged is not None and not untagged.bridged:
            self._add(device, protocols(untagged))
        elif self._change.bond_of(name):
            # The kernel has no IPv6 on a bond's port; its setting stays as it is.
            self._add(device, Protocols(), ipv6=False)
        elif untagged is not None or self._is_left_clean(name):
            self._add(device, Protocols())
        else:
            self._add_with_own_protocols(device)

    def _mtu(self, name: str) -> int:
        change = self._change
        above = change.bond_of(name) or name
        bond = change.wanted.bonds.get(above)
        below = (above, *bond.nics) if bond else (above,)
        foreign = [vlan for one in below for vlan in change.vlans_on(one) if self._is_foreign(vlan)]
        mtus = [network.mtu for network in change.networks_on(above)]
        mtus += [self._current.devices[vlan].mtu or DEFAULT_MTU for vlan in foreign]
        return max(mtus, default=DEFAULT_MTU)

    def _is_foreign(self, name: str) -> bool:
        change = self._change
        return name not in change.in_use and name not in self._absent

    def _master(self, name: str) -> str | None:
        change = self._change
        bond = change.bond_of(name)
        untagged = self._untagged(name)
        if bond or (untagged is not None and untagged.bridged):
            return bond or (untagged.name if untagged else "")
        found = self._current.devices.get(name)
        master = found.master if found else ""
        ours = (
            untagged is not None
            or master in change.running.networks
            or master in change.wanted.networks
            or change.is_bond_of_ours(master)
        )
        return "" if ours or not master else None

    def _untagged(self, name: str) -> Network | None:
        return next((one for one in self._change.networks_on(name) if one.vlan is None), None)

    def _is_used(self, name: str) -> bool:
        return bool(self._change.networks_on(name) or self._change.bond_of(name))

    def _is_left_clean(self, name: str) -> bool:
        """Tell whether its addresses are ours to remove: it was a network's device or a port of
        ours, it is new, or nobody uses it.
        """
        change = self._change
        found = self._current.devices.get(name)
        if found is None or change.leaves_bond(name) or name in change.untagged_before:
            return True
        return not found.up and not found.addresses

    def _add_with_own_protocols(self, device: Device) -> None:
        name = device.name
        self._devices[name] = device
        self._routes.update(self._change.routes_of(name))
        self._rules.update(self._change.rules_of(name))
        if name in self._current.dhcp:
            self._dhcp[name] = self._current.dhcp[name]

    def _qos(self, name: str) -> tuple[DeviceQos, ...]:
        found = [
            DeviceQos(
                hostQos=network.hostQos,
                vlan=_UNTAGGED if network.vlan is None else network.vlan,
            )
            for network in self._change.networks_on(name)
            if network.hostQos is not None
        ]
        return tuple(sorted(found, key=lambda qos: qos.vlan))

    def _options(self, bond: Bond) -> dict[str, str]:
        """Return a bond's options: those that are not given at their defaults, but a new bond has
        its defaults anyway, and only the kernel knows which options it has.
        """
        given = bonding.parse(bond.options)
        found = self._current.devices.get(bond.name)
        if found is None or found.options is None:
            return given
        return bonding.complete(given, found.options.keys())

    # -- hardware addresses ----------------------------------------------------------------------

    def _hwaddr(self, name: str) -> str | None:
        change = self._change
        bond = change.wanted.bonds.get(name)
        if bond is not None:
            return self._bond_hwaddr(bond)
        if change.leaves_bond(name) and not change.bond_of(name):
            return self._own_hwaddr(name)
        return None

    def _bond_hwaddr(self, bond: Bond) -> str | None:
        """Return the address that a bond shall have; None for the one that it takes.

        A new one takes its first NIC's, and so does one without ports. One that has the address of
        a NIC that leaves it must part with it, or two devices on a wire would have the same. With
        fail_over_mac it has its active port's, and the kernel lets nobody set another one.
        """
        if bonding.has_active_ports_hwaddr(bonding.parse(bond.options)):
            return None
        if bond.hwaddr:
            return bond.hwaddr.lower()
        found = self._current.devices.get(bond.name)
        ports = self._change.ports_of(bond.name)
        if found is not None and found.kind == "bond" and ports:
            leaving = set(ports) - set(bond.nics)
            if found.hwaddr not in {self._own_hwaddr(nic) for nic in leaving}:
                # It is asked for: a bond that lets go of all of its ports loses it.
                return found.hwaddr
        return next((self._own_hwaddr(nic) for nic in bond.nics if self._own_hwaddr(nic)), None)

    def _own_hwaddr(self, name: str) -> str | None:
        found = self._current.devices.get(name)
        return (found.permanent_hwaddr or found.hwaddr) if found else None

    def _bridge_hwaddr(self, base: str) -> str | None:
        bond = self._change.wanted.bonds.get(base)
        if bond is None:
            return self._own_hwaddr(base)
        wanted = self._bond_hwaddr(bond)
        if wanted or bonding.has_active_ports_hwaddr(bonding.parse(bond.options)):
            return wanted
        found = self._current.devices.get(base)
        return found.hwaddr if found else None

    # -- networks --------------------------------------------------------------------------------

    def _add_network(self, network: Network) -> None:
        above = protocols(network)
        if network.vlan is not None:
            vlan = Device(
                name=network.southbound,
                kind="vlan",
                up=True,
                mtu=network.mtu,
                master=network.name if network.bridged else "",
                lower=network.base,
                vlan=network.vlan,
            )
            self._add(vlan, Protocols() if network.bridged else above)
        if network.bridged:
            bridge = Device(
                name=network.name,
                kind="bridge",
                up=True,
                mtu=network.mtu,
                hwaddr=self._bridge_hwaddr(network.base),
                options={"stp_state": str(int(network.stp))} | network.bridge_options,
            )
            self._add(bridge, above)

    def _add(self, device: Device, above: Protocols, *, ipv6: bool = True) -> None:
        self._devices[device.name] = replace(
            device,
            addresses=above.addresses,
            dynamic=above.dynamic,
            ipv6=above.ipv6 if ipv6 else None,
        )
        self._routes |= above.routes
        self._rules |= above.rules
        if above.dhcp is not None:
            self._dhcp[device.name] = above.dhcp

    # -- what is not ours ------------------------------------------------------------------------

    def _add_bystanders(self, disrupted: Iterable[str]) -> None:
        """Add what the kernel takes down or deletes along, to be as it was, or to be gone."""
        change = self._change
        rest = sorted(disrupted)
        while rest:
            name = rest.pop()
            for port in change.ports_of(name):
                if name in self._absent and port not in self._devices and port not in self._absent:
                    kind = self._current.devices[port].kind
                    self._devices[port] = Device(name=port, kind=kind, master="")
            for vlan in change.vlans_on(name):
                if vlan in self._devices or vlan in self._absent:
                    continue
                if name in self._absent:
                    self._absent.add(vlan)
                else:
                    self._add_as_it_is(vlan)
                rest.append(vlan)

    def _add_as_it_is(self, name: str) -> None:
        # A VLAN has the address of what is below it.
        self._add_with_own_protocols(replace(self._current.devices[name], hwaddr=None))
