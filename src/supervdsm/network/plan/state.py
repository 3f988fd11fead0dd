# SPDX-License-Identifier: GPL-2.0-or-later
"""The part of the kernel's network that we change, by names, as plain values that go into JSON.

One type serves for what is (`kernel/reading.py`), for what shall be (`target.py`) and for what was
(`transaction/journal.py`). Devices are known by name: an index does not outlive its device. No I/O.
"""

import zlib
from collections.abc import Iterable
from typing import Final, Literal

import msgspec

from vdsm_contract.types import DeviceQos

MAIN_TABLE: Final = 254
RULE_PRIORITY: Final = 3200
"""Priority of the rules of source routing; every rule with it is ours (upstream-vdsm 3.5)."""

Kind = Literal["nic", "bond", "bridge", "vlan", "other"]
"""What a device is to us. `nic` is whatever was not made by software or was taken for a NIC;
`other` (a tap, a tunnel) is never made or removed by us."""


class Ipv6(msgspec.Struct, frozen=True, omit_defaults=True):
    """net.ipv6.conf.DEVICE: disable_ipv6, accept_ra, autoconf, accept_ra_defrtr."""

    disabled: bool
    accept_ra: int
    autoconf: bool
    defrtr: bool = True
    """Whether a router that advertises itself becomes the default one."""


class Address(msgspec.Struct, frozen=True, omit_defaults=True):
    """An IP address of a device, in CIDR notation. Link-local IPv6 addresses are left out, and so
    are those that the kernel made from a router advertisement.
    """

    cidr: str
    lifetime: int = 0
    """Seconds that it stays valid: a lease. 0 is for ever. It is not compared."""
    broadcast: str | None = None
    """IPv4: empty for none, None for that of its subnet. It is not compared."""
    peer: str = ""
    """The other end of a point-to-point link. It is not compared."""

    @property
    def version(self) -> int:
        """4 or 6."""
        return 6 if ":" in self.cidr else 4


class Device(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A network device. In a target, None says "as it is"; read from the kernel, none is None,
    except `ipv6` where the kernel has no IPv6.
    """

    name: str
    kind: Kind
    up: bool | None = None
    """The administrative state, IFF_UP."""
    mtu: int | None = None
    hwaddr: str | None = None
    """Lower case, colons."""
    permanent_hwaddr: str = ""
    """Read of a bond's port: the address that it gets back when it is released
    (IFLA_BOND_SLAVE_PERM_HWADDR). Never asked for."""
    master: str | None = None
    """The bridge or bond that it is a port of; empty for none."""
    lower: str = ""
    """VLAN: the device below."""
    vlan: int = 0
    """VLAN: its id."""
    options: dict[str, str] | None = None
    """Bond and bridge: options by their names in sysfs, as numbers, addresses or device names.
    In a target, those that are not named stay as they are. STP is `stp_state`, `0` or `1`."""
    ipv6: Ipv6 | None = None
    addresses: tuple[Address, ...] | None = None
    """In their order: the first of IPv4 is the primary one."""
    dynamic: tuple[int, ...] = ()
    """Target: the IP versions whose leased addresses and learned routes belong to a client or to
    the kernel: they are neither asked for nor removed."""
    qos: tuple[DeviceQos, ...] | None = None
    """HFSC classes of the networks on it; empty for none."""


class Route(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A unicast route of one next hop. Those that the kernel makes for addresses are left out."""

    device: str
    destination: str
    """CIDR notation, `0.0.0.0/0` and `::/0` for a default route."""
    gateway: str = ""
    table: int = MAIN_TABLE
    metric: int = 0
    source: str = ""
    """The preferred source address."""
    protocol: int = 4
    """RTPROT_STATIC; see <linux/rtnetlink.h>. It is not compared."""
    onlink: bool = False
    link_scope: bool = False

    @property
    def version(self) -> int:
        """4 or 6."""
        return 6 if ":" in self.destination else 4


class Rule(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A rule of source routing: from `source` or to `destination` by way of `table`."""

    table: int
    source: str = ""
    """CIDR notation."""
    destination: str = ""
    """CIDR notation."""
    iif: str = ""
    priority: int = RULE_PRIORITY
    version: Literal[4, 6] = 4


class Dhcp(msgspec.Struct, frozen=True):
    """What a device's DHCP client asks for."""

    ipv4: bool
    ipv6: bool
    default_route: bool
    """Whether the default route that it is given goes into table `main`."""


class State(msgspec.Struct, frozen=True, kw_only=True):
    """Devices with what belongs to them.

    A target names all that it is about: a device that is neither in `devices` nor in `absent` is
    none of its business. Of the devices in `devices`, the routes and (by their table) the rules
    are exactly those listed, but for the dynamic ones.
    """

    devices: dict[str, Device] = {}
    absent: frozenset[str] = frozenset()
    """Target: names of devices that shall not exist."""
    routes: frozenset[Route] = frozenset()
    rules: frozenset[Rule] = frozenset()
    dhcp: dict[str, Dhcp] = {}
    """By device: the clients that run, or shall. A named device without one has none."""
    nameservers: tuple[str, ...] | None = None
    """resolv.conf's; None is "as they are"."""

    def restricted(self, names: Iterable[str]) -> "State":
        """Return, as a target, how the devices `names` are now: what a rollback leads back to."""
        wanted = frozenset(names)
        tables = {source_table(name) for name in wanted}
        return State(
            devices={name: self.devices[name] for name in sorted(wanted & self.devices.keys())},
            absent=frozenset(wanted - self.devices.keys()),
            routes=frozenset(route for route in self.routes if route.device in wanted),
            rules=frozenset(
                rule for rule in self.rules if rule.table in tables or rule.iif in wanted
            ),
            dhcp={name: client for name, client in self.dhcp.items() if name in wanted},
            nameservers=self.nameservers,
        )


def source_table(name: str) -> int:
    """Return the number of the table that oVirt gives to a device's source routes."""
    return zlib.adler32(name.encode())
