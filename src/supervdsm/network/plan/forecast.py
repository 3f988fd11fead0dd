# SPDX-License-Identifier: GPL-2.0-or-later
"""What the kernel will be like after each operation of a plan that is being made.

The kernel does more than it is asked for. A plan is right only if it counts on that, so each
operation is followed here by its consequences. Where the outcome is not known, the value is None,
and the planner asks for what it wants. Sources: net/8021q/vlan.c, net/bridge/br_if.c,
drivers/net/bonding/bond_main.c, net/ipv4/devinet.c and fib_frontend.c, net/ipv6/addrconf.c. No I/O.
"""

from collections import defaultdict
from collections.abc import Callable
from typing import Any, Final

from msgspec.structs import replace

from supervdsm.network import bonding
from supervdsm.network.plan import operations as op
from supervdsm.network.plan.addresses import inserted
from supervdsm.network.plan.compare import RouteKey, address_key, route_key
from supervdsm.network.plan.state import Address, Device, Ipv6, Route, Rule, State

_ETHERNET_MTU: Final = 1500
"""What a bridge without ports has."""


class Forecast:
    """A state that follows the operations given to `do`, and their list."""

    def __init__(self, current: State) -> None:
        self.devices: dict[str, Device] = dict(current.devices)
        self.rules: set[Rule] = set(current.rules)
        self.nameservers = current.nameservers
        self.operations: list[op.Operation] = []
        self.disturbed: set[str] = set()
        """Devices that lost what a DHCP client had put there, or that have another link now."""
        self.closed: set[str] = set()
        """Devices that were up when the plan began and were closed in it."""
        self._routes: defaultdict[str, dict[RouteKey, Route]] = defaultdict(dict)
        self._uppers: defaultdict[str, set[str]] = defaultdict(set)
        self._ports: defaultdict[str, set[str]] = defaultdict(set)
        self._made: set[str] = set()
        self._own_mtu: set[str] = set()
        self._changed_ports: set[str] = set()
        self._own_hwaddr: set[str] = set()
        self._changed_hwaddrs: set[str] = set()
        for route in current.routes:
            self._routes[route.device][route_key(route)] = route
        for device in current.devices.values():
            self._file(device)

    def do(self, operation: op.Operation) -> None:
        """Add an operation to the plan."""
        self.operations.append(operation)
        match operation:
            case op.CreateDevice(device):
                self._create(device)
            case op.DeleteDevice(name):
                self._vanish(name)
            case op.SetUp(name, True):
                self._open(name)
            case op.SetUp(name):
                self._close(name)
            case op.SetMtu(name, mtu):
                self._set_mtu(name, mtu)
            case op.SetHwaddr(name, hwaddr):
                self._own_hwaddr.add(name)
                self._take_hwaddr(name, hwaddr)
            case op.SetMaster(name, master):
                self._set_master(name, master)
            case op.SetOptions(name, _, options):
                found = self.devices[name].options or {}
                self._change(name, options=found | options)
            case op.SetQos(name, qos):
                self._change(name, qos=qos)
            case op.SetNameservers(nameservers):
                self.nameservers = nameservers
            case _:
                self._do_layer3(operation)

    def _do_layer3(self, operation: op.Operation) -> None:
        match operation:
            case op.SetIpv6(name, ipv6):
                self._set_ipv6(name, ipv6)
            case op.AddAddress(name, address):
                found = self.devices[name].addresses or ()
                self._change(name, addresses=inserted(found, address))
            case op.RemoveAddress(name, address):
                self._remove_address(name, address)
            case op.AddRoute(route):
                self._routes[route.device][route_key(route)] = route
            case op.RemoveRoute(route):
                self._routes[route.device].pop(route_key(route), None)
            case op.AddRule(rule):
                self.rules.add(rule)
            case op.RemoveRule(rule):
                self.rules.discard(rule)
            case _:
                raise TypeError(f"no forecast for {operation}")

    def vlans_on(self, name: str) -> list[str]:
        """Return the VLANs whose lower device this is."""
        return sorted(self._uppers[name]) if name in self._uppers else []

    def ports_of(self, name: str) -> list[str]:
        """Return the ports of a bridge or bond."""
        return sorted(self._ports[name]) if name in self._ports else []

    def routes_of(self, name: str) -> dict[RouteKey, Route]:
        """Return the routes by way of a device."""
        return self._routes.get(name, {})

    def is_bond(self, name: str | None) -> bool:
        """Tell whether it is a bond."""
        return bool(name) and name in self.devices and self.devices[name].kind == "bond"

    def mtu(self, name: str) -> int | None:
        """Return a device's MTU; None when it is not known.

        A bridge follows its smallest port until its MTU is set to another value. Whether that was
        done before this plan is not to be seen.
        """
        found = self.devices[name].mtu
        if self.devices[name].kind != "bridge" or name in self._own_mtu:
            return found
        if name not in self._made and name not in self._changed_ports:
            return found
        mtus = [self.devices[port].mtu for port in self._ports[name]] or [_ETHERNET_MTU]
        follows = None if None in mtus else min(mtu for mtu in mtus if mtu is not None)
        return follows if name in self._made or follows == found else None

    def hwaddr(self, name: str) -> str | None:
        """Return a device's hardware address; None when it is not known.

        A bridge follows the smallest of its ports' until it is given one of its own, and loses it
        with its last port. Whether it was given one before this plan is not to be seen.
        """
        found = self.devices[name].hwaddr
        if name in self._own_hwaddr or name not in self._changed_hwaddrs:
            return found
        hwaddrs = {self.devices[port].hwaddr or "" for port in self._ports[name]}
        return found if min(hwaddrs, default="") == found else None

    # -- links -----------------------------------------------------------------------------------

    def _create(self, device: Device) -> None:
        lower = self.devices.get(device.lower)
        made = replace(
            device,
            up=False,
            mtu=device.mtu or (lower.mtu if lower else _ETHERNET_MTU),
            hwaddr=device.hwaddr or (lower.hwaddr if lower else None),
            master="",
            options=device.options or {},
            ipv6=None,
            addresses=(),
            qos=(),
        )
        self._made.add(device.name)
        if device.kind == "bridge" and device.mtu not in {None, _ETHERNET_MTU}:
            self._own_mtu.add(device.name)
        else:
            self._own_mtu.discard(device.name)
        if device.hwaddr:
            self._own_hwaddr.add(device.name)
        else:
            self._own_hwaddr.discard(device.name)
        self._changed_hwaddrs.discard(device.name)
        self._file(made)
        if device.master:
            self._set_master(device.name, device.master)

    def _vanish(self, name: str) -> None:
        device = self.devices.get(name)
        if device is None:
            return
        for vlan in self.vlans_on(name):
            self._vanish(vlan)
        for port in self.ports_of(name):
            self._leave(port)
        if device.master:
            self._leave(name)
        self._uppers[device.lower].discard(name)
        del self.devices[name]
        self._routes.pop(name, None)
        self.disturbed.add(name)

    def _open(self, name: str) -> None:
        if self.devices[name].up:
            return
        self._change(name, up=True)
        for vlan in self.vlans_on(name):
            self._open(vlan)

    def _close(self, name: str) -> None:
        device = self.devices[name]
        if device.up is False:
            return
        kept = None
        if device.addresses is not None:
            kept = tuple(one for one in device.addresses if one.version == 4)
        self._change(name, up=False, addresses=kept)
        self._routes.pop(name, None)
        self.disturbed.add(name)
        if name not in self._made:
            self.closed.add(name)
        for vlan in self.vlans_on(name):
            self._close(vlan)

    def _set_mtu(self, name: str, mtu: int) -> None:
        if self.mtu(name) != mtu:
            self._own_mtu.add(name)
        self._take_mtu(name, mtu)

    def _take_mtu(self, name: str, mtu: int | None) -> None:
        device = self.devices[name]
        if device.mtu == mtu:
            return
        self._change(name, mtu=mtu)
        if device.master and not self.is_bond(device.master):
            self._changed_ports.add(device.master)
        if device.kind == "bond":
            for port in self.ports_of(name):
                self._take_mtu(port, mtu)
        for vlan in self.vlans_on(name):
            upper = self.devices[vlan].mtu
            if upper is not None and (mtu is None or upper > mtu):
                self._take_mtu(vlan, mtu)

    def _take_hwaddr(self, name: str, hwaddr: str | None) -> None:
        before = self.devices[name].hwaddr
        if before == hwaddr:
            return
        self._change(name, hwaddr=hwaddr)
        self.disturbed.add(name)
        self._notice_hwaddr(self.devices[name].master)
        if self.shares_hwaddr(name):
            for port in self.ports_of(name):
                self._take_hwaddr(port, hwaddr)
        for vlan in self.vlans_on(name):
            # A VLAN takes the address of what is below it unless it was given one of its own.
            if self.devices[vlan].hwaddr in (before, None):
                self._take_hwaddr(vlan, hwaddr)

    def _set_master(self, name: str, master: str) -> None:
        if self.devices[name].master:
            self._leave(name)
        if not master:
            return
        self._change(name, master=master)
        self._ports[master].add(name)
        self._changed_ports.add(master)
        self._notice_link(name, master)
        bond = self.devices[master]
        if bond.kind != "bond":
            return
        own = self.devices[name].hwaddr
        if self.shares_hwaddr(master):
            if bond.hwaddr is None:
                self._take_hwaddr(master, own)
            self._take_hwaddr(name, self.devices[master].hwaddr)
        else:
            # Its active port's: which one that is, and when, is the kernel's choice.
            self._take_hwaddr(master, None)
        self._change(name, permanent_hwaddr=own or "")
        self._take_mtu(name, bond.mtu)
        self._open(name)

    def shares_hwaddr(self, name: str) -> bool:
        """Tell whether it is a bond whose ports have its hardware address."""
        options = self.devices[name].options or {}
        return self.is_bond(name) and not bonding.has_active_ports_hwaddr(options)

    def _leave(self, name: str) -> None:
        device = self.devices[name]
        master = device.master or ""
        self._ports[master].discard(name)
        self._changed_ports.add(master)
        self._notice_link(name, master)
        self._change(name, master="")
        if self.is_bond(master):
            self._close(name)
            self._change(name, permanent_hwaddr="")
            self._take_mtu(name, None)
            self._take_hwaddr(name, device.permanent_hwaddr or None)
            if not self.ports_of(master) or not self.shares_hwaddr(master):
                # A random one, until it takes that of its next port; or another active port's.
                self._take_hwaddr(master, None)

    def _notice_hwaddr(self, master: str | None) -> None:
        if master and not self.is_bond(master):
            self._changed_hwaddrs.add(master)

    def _notice_link(self, port: str, master: str) -> None:
        self._notice_hwaddr(master)
        # Another tap is another guest; another NIC or VLAN is another network.
        if self.devices[port].kind != "other":
            self.disturbed.update((port, master))

    # -- addresses and routes --------------------------------------------------------------------

    def _set_ipv6(self, name: str, ipv6: Ipv6) -> None:
        self._change(name, ipv6=ipv6)
        if ipv6.disabled:
            self._keep_addresses(name, lambda one: one.version != 6)
            self._drop_routes(name, lambda route: route.version == 6)

    def _remove_address(self, name: str, address: Address) -> None:
        gone = address_key(address)
        self._keep_addresses(name, lambda one: address_key(one) != gone)
        local = address.cidr.partition("/")[0]
        self._drop_routes(name, lambda route: route.source == local)
        if not any(one.version == 4 for one in self.devices[name].addresses or ()):
            self._drop_routes(name, lambda route: route.version == 4)

    def _keep_addresses(self, name: str, keeps: Callable[[Address], bool]) -> None:
        found = self.devices[name].addresses
        if found is not None:
            self._change(name, addresses=tuple(one for one in found if keeps(one)))

    def _drop_routes(self, name: str, drops: Callable[[Route], bool]) -> None:
        found = self._routes.get(name)
        if found:
            self._routes[name] = {key: one for key, one in found.items() if not drops(one)}

    def _change(self, name: str, **fields: Any) -> None:
        self.devices[name] = replace(self.devices[name], **fields)

    def _file(self, device: Device) -> None:
        self.devices[device.name] = device
        if device.lower:
            self._uppers[device.lower].add(device.name)
        if device.master:
            self._ports[device.master].add(device.name)
