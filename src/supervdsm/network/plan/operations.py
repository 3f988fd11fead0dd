# SPDX-License-Identifier: GPL-2.0-or-later
"""The small steps of a change. Each is one thing that the kernel does or refuses as a whole.

`str()` of a step is the sentence that an operator reads in `vdsm-tool net plan`, in the audit and
in errors ("Failed to create VLAN eth0.100 on eth0: …"). No I/O; `apply/` carries them out.
"""

from typing import TypeAlias

import msgspec

from supervdsm.network.plan.state import MAIN_TABLE, Address, Device, Dhcp, Ipv6, Route, Rule
from vdsm_contract.types import DeviceQos


class _Step(msgspec.Struct, frozen=True, tag=True):
    """Base: a step says its own name in JSON."""


class CreateDevice(_Step, frozen=True):
    """Make a bond, bridge or VLAN, down, with its MTU, hardware address, options and master (each
    unless it is None). Addresses, `up` and `ipv6` are steps of their own.
    """

    device: Device

    def __str__(self) -> str:
        one = self.device
        where = f" on {one.lower} with id {one.vlan}" if one.kind == "vlan" else ""
        port = f" as port of {one.master}" if one.master else ""
        return f"create {_KINDS[one.kind]} {one.name}{where}{port}"


class DeleteDevice(_Step, frozen=True):
    """Remove a bond, bridge or VLAN."""

    name: str

    def __str__(self) -> str:
        return f"delete {self.name}"


class SetUp(_Step, frozen=True):
    """Set a device up or down."""

    name: str
    up: bool

    def __str__(self) -> str:
        return f"set {self.name} {'up' if self.up else 'down'}"


class SetMtu(_Step, frozen=True):
    """Set a device's MTU, in bytes."""

    name: str
    mtu: int

    def __str__(self) -> str:
        return f"set MTU of {self.name} to {self.mtu}"


class SetHwaddr(_Step, frozen=True):
    """Set a device's hardware address."""

    name: str
    hwaddr: str

    def __str__(self) -> str:
        return f"set hardware address of {self.name} to {self.hwaddr}"


class SetMaster(_Step, frozen=True):
    """Make a device the port of a bridge or bond, or of none."""

    name: str
    master: str

    def __str__(self) -> str:
        if not self.master:
            return f"release {self.name} from its bridge or bond"
        return f"make {self.name} a port of {self.master}"


class SetOptions(_Step, frozen=True):
    """Set options of a bond or bridge, in their order."""

    name: str
    kind: str
    options: dict[str, str]

    def __str__(self) -> str:
        words = " ".join(f"{key}={value}" for key, value in self.options.items())
        return f"set {self.kind} options of {self.name}: {words}"


class SetIpv6(_Step, frozen=True):
    """Set net.ipv6.conf.DEVICE."""

    name: str
    ipv6: Ipv6

    def __str__(self) -> str:
        if self.ipv6.disabled:
            return f"turn IPv6 off on {self.name}"
        return (
            f"turn IPv6 on on {self.name}, accept_ra={self.ipv6.accept_ra} "
            f"autoconf={int(self.ipv6.autoconf)}"
        )


class AddAddress(_Step, frozen=True):
    """Add an IP address to a device; one that is there already stays."""

    name: str
    address: Address

    def __str__(self) -> str:
        return f"add address {self.address.cidr} to {self.name}"


class RemoveAddress(_Step, frozen=True):
    """Remove an IP address from a device; one that is gone already is no error."""

    name: str
    address: Address

    def __str__(self) -> str:
        return f"remove address {self.address.cidr} from {self.name}"


class AddRoute(_Step, frozen=True):
    """Add a route; one that is there already stays."""

    route: Route

    def __str__(self) -> str:
        return f"add route {_route(self.route)}"


class RemoveRoute(_Step, frozen=True):
    """Remove a route; one that is gone already is no error."""

    route: Route

    def __str__(self) -> str:
        return f"remove route {_route(self.route)}"


class AddRule(_Step, frozen=True):
    """Add a rule; one that is there already stays."""

    rule: Rule

    def __str__(self) -> str:
        return f"add rule {_rule(self.rule)}"


class RemoveRule(_Step, frozen=True):
    """Remove a rule; one that is gone already is no error."""

    rule: Rule

    def __str__(self) -> str:
        return f"remove rule {_rule(self.rule)}"


class SetQos(_Step, frozen=True):
    """Replace the HFSC qdisc of a device and its classes; without any, remove it."""

    name: str
    qos: tuple[DeviceQos, ...]

    def __str__(self) -> str:
        if not self.qos:
            return f"end traffic shaping on {self.name}"
        vlans = ", ".join("untagged" if q.vlan < 0 else str(q.vlan) for q in self.qos)
        return f"shape outbound traffic on {self.name}: {vlans}"


class StartDhcp(_Step, frozen=True):
    """Start a device's DHCP client; one that runs with the same wishes stays."""

    name: str
    dhcp: Dhcp

    def __str__(self) -> str:
        wanted = " and ".join(
            name for name, on in (("DHCPv4", self.dhcp.ipv4), ("DHCPv6", self.dhcp.ipv6)) if on
        )
        return f"start {wanted} on {self.name}"


class StopDhcp(_Step, frozen=True):
    """Stop a device's DHCP client."""

    name: str

    def __str__(self) -> str:
        return f"stop DHCP on {self.name}"


class SetNameservers(_Step, frozen=True):
    """Write resolv.conf's name servers."""

    nameservers: tuple[str, ...]

    def __str__(self) -> str:
        return f"set name servers: {', '.join(self.nameservers) or 'none'}"


Operation: TypeAlias = (
    CreateDevice
    | DeleteDevice
    | SetUp
    | SetMtu
    | SetHwaddr
    | SetMaster
    | SetOptions
    | SetIpv6
    | AddAddress
    | RemoveAddress
    | AddRoute
    | RemoveRoute
    | AddRule
    | RemoveRule
    | SetQos
    | StartDhcp
    | StopDhcp
    | SetNameservers
)

_KINDS = {"bond": "bond", "bridge": "bridge", "vlan": "VLAN"}


def _route(route: Route) -> str:
    via = f" via {route.gateway}" if route.gateway else ""
    table = "" if route.table == MAIN_TABLE else f" in table {route.table}"
    return f"{route.destination}{via} on {route.device}{table}"


def _rule(rule: Rule) -> str:
    words = [
        f"{word} {value}"
        for word, value in (("from", rule.source), ("to", rule.destination), ("iif", rule.iif))
        if value
    ]
    return f"{' '.join(words) or 'all'} to table {rule.table}"
