# SPDX-License-Identifier: GPL-2.0-or-later
"""A small kernel: it does what Linux does by itself, and refuses what Linux refuses.

It is written apart from `plan/forecast.py`. It forgives what the executor forgives: to remove an
address, route or rule that is gone already, and to add one that is there. Sources: those named in
`forecast.py`, net/ipv4/fib_semantics.c, net/ipv6/route.c.
"""

import errno
import zlib
from dataclasses import dataclass, field
from ipaddress import IPv4Interface, ip_address, ip_interface
from typing import cast

from supervdsm.network import bonding
from supervdsm.network.plan import operations as op
from supervdsm.network.plan.state import (
    MAIN_TABLE,
    Address,
    Device,
    Dhcp,
    Ipv6,
    Kind,
    Route,
    Rule,
    State,
    source_table,
)
from unit.supervdsm.network.plan.essence import LEASED, RTPROT_DHCP, has_active_ports_hwaddr
from vdsm_contract.types import DeviceQos

DEFAULT_IPV6 = Ipv6(disabled=False, accept_ra=1, autoconf=True)
DELAYS = ("updelay", "downdelay", "peer_notif_delay")
BRIDGE_OPTIONS = {"stp_state": "0", "forward_delay": "1500", "multicast_snooping": "1"}
LEASE = 3600


class Refused(Exception):
    """What the kernel answers."""

    def __init__(self, number: int, operation: object, why: str = "") -> None:
        super().__init__(f"{errno.errorcode[number]}: {operation} {why}")
        self.errno = number


_NO_HWADDR = "00:00:00:00:00:00"
_RANDOM_HWADDR = "02:de:ad:be:ef:00"


@dataclass
class Link:
    """A device. `own` is what a bond gives back: MTU and hardware address."""

    name: str
    kind: Kind
    up: bool = False
    mtu: int = 1500
    hwaddr: str = ""
    hwaddr_set: bool = False
    mtu_set: bool = False
    own: tuple[int, str] = (1500, "")
    master: str = ""
    lower: str = ""
    vlan: int = 0
    options: dict[str, str] = field(default_factory=dict)
    ipv6: Ipv6 | None = DEFAULT_IPV6
    addresses4: list[Address] = field(default_factory=list)
    addresses6: list[Address] = field(default_factory=list)
    qos: tuple[DeviceQos, ...] = ()


class Kernel:
    """Begins with the NICs and other devices of `state`; `promote` is promote_secondaries."""

    def __init__(self, state: State, *, promote: bool = False) -> None:
        self.promote = promote
        self.links: dict[str, Link] = {}
        self.routes: list[Route] = []
        self.rules: set[Rule] = set()
        self.dhcp: dict[str, Dhcp] = {}
        self.nameservers = state.nameservers or ()
        for device in state.devices.values():
            self.links[device.name] = Link(
                name=device.name,
                kind=device.kind,
                up=bool(device.up),
                mtu=device.mtu or 1500,
                hwaddr=device.hwaddr or "",
                master=device.master or "",
                lower=device.lower,
                vlan=device.vlan,
                options=dict(device.options or {}),
                ipv6=device.ipv6 or DEFAULT_IPV6,
                addresses4=[one for one in device.addresses or () if one.version == 4],
                addresses6=[one for one in device.addresses or () if one.version == 6],
                qos=device.qos or (),
            )
        self.routes.extend(sorted(state.routes, key=repr))
        self.rules.update(state.rules)

    def read(self) -> State:
        """Say everything, as `kernel/reading.py` does."""
        return State(
            devices={link.name: self._device(link) for link in self.links.values()},
            routes=frozenset(self.routes),
            rules=frozenset(self.rules),
            dhcp=dict(self.dhcp),
            nameservers=self.nameservers,
        )

    def _device(self, link: Link) -> Device:
        in_bond = bool(link.master) and self.links[link.master].kind == "bond"
        return Device(
            name=link.name,
            kind=link.kind,
            up=link.up,
            mtu=link.mtu,
            hwaddr=link.hwaddr,
            permanent_hwaddr=link.own[1] if in_bond else "",
            master=link.master,
            lower=link.lower,
            vlan=link.vlan,
            options=_shown_options(link),
            ipv6=link.ipv6 if link.mtu >= 1280 else None,
            addresses=(*link.addresses4, *link.addresses6),
            qos=link.qos,
        )

    def ports(self, name: str) -> list[Link]:
        """Return the ports of a bridge or bond."""
        return [link for link in self.links.values() if name and link.master == name]

    def vlans(self, name: str) -> list[Link]:
        """Return the VLANs on a device."""
        return [link for link in self.links.values() if name and link.lower == name]

    def unplug(self, name: str) -> None:
        """Take a NIC out of the host."""
        self._vanish(self.links[name])

    # -- operations ------------------------------------------------------------------------------

    def apply(self, operation: op.Operation) -> None:
        """Do it, or raise Refused."""
        match operation:
            case op.CreateDevice(device):
                self._create(operation, device)
            case op.DeleteDevice(name):
                self._delete(operation, self._link(operation, name))
            case op.SetUp(name, up):
                self._set_up(operation, self._link(operation, name), up)
            case op.SetMtu(name, mtu):
                self._set_mtu(operation, self._link(operation, name), mtu)
            case op.SetHwaddr(name, hwaddr):
                self._set_hwaddr(operation, self._link(operation, name), hwaddr)
            case op.SetMaster(name, master):
                self._set_master(operation, self._link(operation, name), master)
            case op.SetOptions(name, kind, options):
                link = self._link(operation, name)
                assert link.kind == kind
                if kind == "bond":
                    self._set_bond_options(operation, link, options)
                link.options.update(options)
            case op.SetQos(name, qos):
                self._link(operation, name).qos = qos
            case op.SetNameservers(nameservers):
                self.nameservers = nameservers
            case op.StartDhcp(name, dhcp):
                self._start_dhcp(self._link(operation, name), dhcp)
            case op.StopDhcp(name):
                if self.dhcp.pop(name, None) is None:
                    raise Refused(errno.ENOENT, operation)
                if name in self.links:
                    self._end_lease(self.links[name])
            case _:
                self._apply_layer3(operation)

    def _apply_layer3(self, operation: op.Operation) -> None:
        match operation:
            case op.SetIpv6(name, ipv6):
                self._set_ipv6(operation, self._link(operation, name), ipv6)
            case op.AddAddress(name, address):
                self._add_address(operation, self._link(operation, name), address)
            case op.RemoveAddress(name, address):
                self._remove_address(self._link(operation, name), address)
            case op.AddRoute(route):
                self._add_route(operation, self._link(operation, route.device), route)
            case op.RemoveRoute(route):
                self.routes = [one for one in self.routes if one != route]
            case op.AddRule(rule):
                self.rules.add(rule)
            case op.RemoveRule(rule):
                self.rules.discard(rule)
            case _:
                raise AssertionError(operation)

    def _link(self, operation: op.Operation, name: str) -> Link:
        if name not in self.links:
            raise Refused(errno.ENODEV, operation)
        return self.links[name]

    # -- links -----------------------------------------------------------------------------------

    def _create(self, operation: op.Operation, device: Device) -> None:
        if device.name in self.links:
            raise Refused(errno.EEXIST, operation)
        made = Link(device.name, device.kind, hwaddr=_random_hwaddr(device.name))
        if device.kind == "vlan":
            lower = self._link(operation, device.lower)
            if any(vlan.vlan == device.vlan for vlan in self.vlans(lower.name)):
                raise Refused(errno.EEXIST, operation, "the lower device has this id")
            made.lower, made.vlan, made.mtu = lower.name, device.vlan, lower.mtu
            made.hwaddr = lower.hwaddr
        elif device.kind not in {"bond", "bridge"}:
            raise Refused(errno.EOPNOTSUPP, operation)
        if device.master:
            self._link(operation, device.master)
        if device.kind == "bond":
            made.options = _default_options("0")
        elif device.kind == "bridge":
            made.options = dict(BRIDGE_OPTIONS)
        self.links[device.name] = made
        try:
            if device.kind == "bond" and device.options:
                self._set_bond_options(operation, made, device.options)
            made.options.update(device.options or {})
            if device.hwaddr:
                # Before the driver sees it, so that no option is in its way: rtnl_create_link.
                made.hwaddr, made.hwaddr_set = device.hwaddr, True
            if device.mtu is not None:
                self._set_mtu(operation, made, device.mtu)
            if device.master:
                self._set_master(operation, made, device.master)
        except Refused:
            del self.links[device.name]
            raise

    def _delete(self, operation: op.Operation, link: Link) -> None:
        if link.kind not in {"bond", "bridge", "vlan"}:
            raise Refused(errno.EOPNOTSUPP, operation)
        self._vanish(link)

    def _vanish(self, link: Link) -> None:
        for vlan in self.vlans(link.name):
            self._vanish(vlan)
        for port in self.ports(link.name):
            self._release(port)
        if link.master:
            self._release(link)
        self.routes = [route for route in self.routes if route.device != link.name]
        del self.links[link.name]

    def _set_up(self, operation: op.Operation, link: Link, up: bool) -> None:
        if link.up == up:
            return
        if up and link.lower and not self.links[link.lower].up:
            raise Refused(errno.ENETDOWN, operation)
        link.up = up
        if not up:
            self.routes = [route for route in self.routes if route.device != link.name]
            link.addresses6.clear()
        for vlan in self.vlans(link.name):
            self._set_up(operation, vlan, up)

    def _set_mtu(self, operation: op.Operation, link: Link, mtu: int) -> None:
        if link.lower and mtu > self.links[link.lower].mtu:
            raise Refused(errno.ERANGE, operation)
        if link.mtu != mtu:
            link.mtu_set = True
        self._take_mtu(link, mtu)

    def _take_mtu(self, link: Link, mtu: int) -> None:
        if link.mtu == mtu:
            return
        link.mtu = mtu
        if link.kind == "bond":
            for port in self.ports(link.name):
                self._take_mtu(port, mtu)
        for vlan in self.vlans(link.name):
            if vlan.mtu > mtu:
                self._take_mtu(vlan, mtu)
        self._follow_ports(link.master)

    def _follow_ports(self, name: str) -> None:
        bridge = self.links.get(name)
        if bridge is None or bridge.kind != "bridge":
            return
        ports = self.ports(name)
        if not bridge.mtu_set:
            self._take_mtu(bridge, min((port.mtu for port in ports), default=1500))
        if not bridge.hwaddr_set:
            self._take_hwaddr(bridge, min((port.hwaddr for port in ports), default=_NO_HWADDR))

    def _set_hwaddr(self, operation: op.Operation, link: Link, hwaddr: str) -> None:
        if link.kind == "nic" and link.up:
            raise Refused(errno.EBUSY, operation, "its driver wants it down")
        if _has_its_ports_hwaddr(link):
            return  # "do nothing and return success": drivers/net/bonding/bond_main.c
        link.hwaddr_set = True
        self._take_hwaddr(link, hwaddr)

    def _take_hwaddr(self, link: Link, hwaddr: str) -> None:
        if link.hwaddr == hwaddr:
            return
        link.hwaddr = hwaddr
        if link.kind == "bond" and not _has_its_ports_hwaddr(link):
            for port in self.ports(link.name):
                self._take_hwaddr(port, hwaddr)
        for vlan in self.vlans(link.name):
            if not vlan.hwaddr_set:
                self._take_hwaddr(vlan, hwaddr)
        self._follow_ports(link.master)

    def _set_master(self, operation: op.Operation, link: Link, name: str) -> None:
        if link.master == name:
            return
        if link.master:
            self._release(link)
        if not name:
            return
        master = self._link(operation, name)
        if master.kind == "bridge":
            if link.kind == "bridge":
                raise Refused(errno.ELOOP, operation)
            link.master = name
            self._follow_ports(name)
        elif master.kind == "bond":
            self._enslave(operation, link, master)
        else:
            raise Refused(errno.EOPNOTSUPP, operation)

    def _enslave(self, operation: op.Operation, link: Link, bond: Link) -> None:
        if link.up:
            raise Refused(errno.EPERM, operation, "a device can not be enslaved while up")
        if link.kind != "nic":
            raise Refused(errno.EINVAL, operation)
        link.own = (link.mtu, link.hwaddr)
        # Its first port becomes the active one here.
        if not self.ports(bond.name) and (not bond.hwaddr_set or _has_its_ports_hwaddr(bond)):
            self._take_hwaddr(bond, link.hwaddr)
            # A bond keeps the address of its first port.
            bond.hwaddr_set = True
        link.master = bond.name
        if not _has_its_ports_hwaddr(bond):
            self._take_hwaddr(link, bond.hwaddr)
        self._take_mtu(link, bond.mtu)
        self._set_up(operation, link, True)

    def _release(self, link: Link) -> None:
        master, link.master = self.links[link.master], ""
        if master.kind == "bond":
            self._set_up(op.SetUp(link.name, False), link, False)
            self._take_mtu(link, link.own[0])
            self._take_hwaddr(link, link.own[1])
            rest = self.ports(master.name)
            if not rest:
                master.hwaddr_set = False
                self._take_hwaddr(master, _RANDOM_HWADDR)
            elif _has_its_ports_hwaddr(master) and link.hwaddr == master.hwaddr:
                self._take_hwaddr(master, rest[0].hwaddr)
        self._follow_ports(master.name)

    def _set_bond_options(
        self, operation: op.Operation, bond: Link, options: dict[str, str]
    ) -> None:
        mode = bond.options["mode"]
        miimon = bond.options.get("miimon", "0")
        for name, value in options.items():
            option = bonding.OPTIONS.get(name)
            if option is None:
                raise Refused(errno.ENOENT, operation, name)
            if name == "mode":
                mode = value
                miimon = bonding.default("miimon", mode)
            if mode not in option.modes:
                raise Refused(errno.EACCES, operation, name)
            if option.portless and self.ports(bond.name):
                raise Refused(errno.ENOTEMPTY, operation, name)
            if option.down and bond.up:
                raise Refused(errno.EBUSY, operation, name)
            if name == "miimon":
                miimon = value
            if name == "primary" and value and value not in self.links:
                raise Refused(errno.ENODEV, operation, name)
            if name in DELAYS and miimon == "0":
                raise Refused(errno.EPERM, operation, name)
        if "mode" in options and options["mode"] != bond.options["mode"]:
            bond.options["miimon"] = bonding.default("miimon", mode)

    # -- addresses, routes, clients --------------------------------------------------------------

    def _set_ipv6(self, operation: op.Operation, link: Link, ipv6: Ipv6) -> None:
        if link.mtu < 1280 and not ipv6.disabled:
            raise Refused(errno.ENOENT, operation)
        link.ipv6 = ipv6
        if ipv6.disabled:
            link.addresses6.clear()
            self._drop_routes(link, 6)

    def _drop_routes(self, link: Link, version: int) -> None:
        self.routes = [
            one for one in self.routes if one.device != link.name or one.version != version
        ]

    def _add_address(self, operation: op.Operation, link: Link, address: Address) -> None:
        if address.version == 6:
            if link.ipv6 is None or link.ipv6.disabled:
                raise Refused(errno.EACCES, operation)
            if address.cidr not in {one.cidr for one in link.addresses6}:
                link.addresses6.append(address)
            return
        found = link.addresses4
        if address.cidr in {one.cidr for one in found}:
            return
        last_primary = max(
            (index + 1 for index, one in enumerate(found) if not self._secondary(link, one)),
            default=0,
        )
        secondary = any(_net(one) == _net(address) for one in found)
        found.insert(len(found) if secondary else last_primary, address)

    def _secondary(self, link: Link, address: Address) -> bool:
        first = next(one for one in link.addresses4 if _net(one) == _net(address))
        return first != address

    def _remove_address(self, link: Link, address: Address) -> None:
        # The executor forgives one that is gone: it may have been a secondary one.
        if address.version == 6:
            link.addresses6 = [one for one in link.addresses6 if one.cidr != address.cidr]
            return
        found = next((one for one in link.addresses4 if one.cidr == address.cidr), None)
        if found is None:
            return
        gone = [found]
        if not self._secondary(link, found) and not self.promote:
            gone = [one for one in link.addresses4 if _net(one) == _net(found)]
        link.addresses4 = [one for one in link.addresses4 if one not in gone]
        locals_ = {str(IPv4Interface(one.cidr).ip) for one in gone}
        self.routes = [one for one in self.routes if not one.source or one.source not in locals_]
        if not link.addresses4:
            self._drop_routes(link, 4)

    def _add_route(self, operation: op.Operation, link: Link, route: Route) -> None:
        if route in self.routes:
            return
        if not link.up:
            raise Refused(errno.ENETDOWN, operation)
        own = link.addresses4 if route.version == 4 else link.addresses6
        if route.version == 6 and (link.ipv6 is None or link.ipv6.disabled):
            raise Refused(errno.EACCES, operation)
        if route.source and route.source not in {str(ip_interface(one.cidr).ip) for one in own}:
            raise Refused(errno.EINVAL, operation)
        if route.gateway and not route.onlink and not self._on_link(link, route):
            raise Refused(errno.ENETUNREACH, operation)
        self.routes.append(route)

    def _on_link(self, link: Link, route: Route) -> bool:
        gateway = ip_address(route.gateway)
        own = link.addresses4 if route.version == 4 else link.addresses6
        networks = [ip_interface(one.cidr).network for one in own]
        networks += [
            ip_interface(one.destination).network
            for one in self.routes
            if one.device == link.name and not one.gateway
        ]
        return gateway.is_link_local or any(gateway in network for network in networks)

    def _start_dhcp(self, link: Link, dhcp: Dhcp) -> None:
        """A client that gets its lease at once, and does what `services/` does with it."""
        self._end_lease(link, routes_only=True)
        self.dhcp[link.name] = dhcp
        if dhcp.ipv6 and link.up and link.ipv6 is not None and not link.ipv6.disabled:
            address = Address("fd99::9/128", LEASE)
            self._add_address(op.AddAddress(link.name, address), link, address)
        if not dhcp.ipv4 or not link.up:
            return
        number = source_table(link.name) % 200
        address = Address(f"{LEASED}{number}.9/24", LEASE)
        if address.cidr not in {one.cidr for one in link.addresses4}:
            self._add_address(op.AddAddress(link.name, address), link, address)
        table = MAIN_TABLE if dhcp.default_route else source_table(link.name)
        self.routes.append(
            Route(
                device=link.name,
                destination="0.0.0.0/0",
                gateway=f"{LEASED}{number}.1",
                table=table,
                source=f"{LEASED}{number}.9",
                protocol=RTPROT_DHCP,
            )
        )
        if not dhcp.default_route:
            subnet = f"{LEASED}{number}.0/24"
            self.rules |= {Rule(table=table, source=subnet), Rule(table=table, destination=subnet)}

    def _end_lease(self, link: Link, *, routes_only: bool = False) -> None:
        table = source_table(link.name)
        self.rules = {
            rule for rule in self.rules if rule.table != table or LEASED not in repr(rule)
        }
        self.routes = [
            one for one in self.routes if one.device != link.name or one.protocol != RTPROT_DHCP
        ]
        if not routes_only:
            for address in [one for one in link.addresses4 + link.addresses6 if one.lifetime]:
                self._remove_address(link, address)


def _has_its_ports_hwaddr(link: Link) -> bool:
    return link.kind == "bond" and has_active_ports_hwaddr(link.options)


def _random_hwaddr(name: str) -> str:
    """Return what the kernel draws; here it is the same each time."""
    return f"0e:{zlib.crc32(name.encode()).to_bytes(5, 'big').hex(':')}"


def _default_options(mode: str) -> dict[str, str]:
    return {name: bonding.default(name, mode) for name in bonding.OPTIONS} | {"mode": mode}


def _shown_options(link: Link) -> dict[str, str] | None:
    if link.kind not in {"bond", "bridge"}:
        return None
    # Delays are kept as multiples of miimon.
    lost = dict.fromkeys(DELAYS, "0") if link.options.get("miimon") == "0" else {}
    return link.options | lost


def _net(address: Address) -> object:
    return cast("IPv4Interface", ip_interface(address.cidr)).network
