# SPDX-License-Identifier: GPL-2.0-or-later
"""What the kernel says of the network, as plain values: no sockets, no files.

Names follow ip-link(8) and <linux/if_link.h>. An index that is 0 means that there is no such
device.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

import msgspec

from vdsm_contract.types import DeviceQos

IFF_UP: Final = 0x1
IFF_RUNNING: Final = 0x40


class BondPort(msgspec.Struct, frozen=True, gc=False):
    """What a device's bond says of it. `aggregator` is None unless the bond is 802.3ad."""

    permhwaddr: str
    aggregator: int | None


class Counters(msgspec.Struct, frozen=True, gc=False):
    """Counters since the device was made: bytes, errors, packets."""

    rx: int = 0
    tx: int = 0
    rx_errors: int = 0
    tx_errors: int = 0
    rx_dropped: int = 0
    tx_dropped: int = 0


class Ipv6Settings(NamedTuple):
    """net.ipv6.conf.DEVICE: disable_ipv6, accept_ra, autoconf, accept_ra_defrtr, forwarding.

    Source: Documentation/networking/ip-sysctl.rst.
    """

    disabled: bool
    accept_ra: int
    autoconf: bool
    defrtr: bool
    forwarding: bool

    @property
    def makes_addresses(self) -> bool:
        """Whether the kernel makes addresses from router advertisements: an `accept_ra` of 1 holds
        unless the device forwards.
        """
        if self.disabled or not self.autoconf:
            return False
        return self.accept_ra > 1 or (self.accept_ra == 1 and not self.forwarding)


class LinkMode(NamedTuple):
    """How a device is linked. `speed` is in Mbit/s, 0 when it is not known."""

    speed: int = 0
    duplex: str = "unknown"


class Link(msgspec.Struct, frozen=True):
    """A network device. `kind` is rtnetlink's (bridge, bond, vlan …), empty when it has none."""

    index: int
    name: str
    kind: str = ""
    flags: int = 0
    mtu: int = 0
    hwaddr: str = ""
    physical: bool = False
    """It belongs to a device of a bus, such as PCI or virtio."""
    master: int = 0
    lower: int = 0
    """The device below it; 0 also when that is in another network namespace."""
    vlanid: int = 0
    qdisc: str = ""
    port: BondPort | None = None
    ipv6: Ipv6Settings | None = None
    """None when the kernel has no IPv6 on it."""
    options: Mapping[str, str] = {}
    """Of a bond or bridge: options and state by the names of sysfs' files, as numbers and
    addresses. A bond's `primary` and `active_slave` are indexes of devices, or empty."""

    @property
    def up(self) -> bool:
        """Whether it is set up and can carry frames."""
        return bool(self.flags & IFF_UP and self.flags & IFF_RUNNING)


class Address(msgspec.Struct, frozen=True, gc=False):
    """An IP address of the device `index`."""

    index: int
    version: int
    """4 or 6."""
    address: str
    prefixlen: int
    link_local: bool = False
    secondary: bool = False
    dynamic: bool = False
    """Its lifetime ends unless somebody extends it: a lease."""
    autoconf: bool = False
    """The kernel made it from a router advertisement."""
    lifetime: int = 0
    """Seconds that it stays valid; 0 is for ever."""
    peer: str = ""
    """The other end of a point-to-point link."""
    broadcast: str = ""

    @property
    def cidr(self) -> str:
        """Return it in CIDR notation."""
        return f"{self.address}/{self.prefixlen}"


class Route(msgspec.Struct, frozen=True, gc=False):
    """A next hop of a unicast route through the device `index`. `gateway` is empty when the
    destination is on the link; `protocol` is RTPROT_*.
    """

    index: int
    version: int
    table: int
    destination: str
    """CIDR notation."""
    gateway: str = ""
    metric: int = 0
    source: str = ""
    protocol: int = 4
    link_scope: bool = False
    onlink: bool = False
    plain: bool = True
    """It is the only next hop, and these fields say all of it."""


class Rule(msgspec.Struct, frozen=True, gc=False):
    """A routing rule that leads to a table; `source` and `destination` are empty or in CIDR
    notation.
    """

    version: int
    table: int
    priority: int
    source: str = ""
    destination: str = ""
    iif: str = ""


class Snapshot(msgspec.Struct, frozen=True):
    """The host's network at one moment. The maps have device indexes as keys."""

    links: tuple[Link, ...] = ()
    addresses: tuple[Address, ...] = ()
    routes: tuple[Route, ...] = ()
    """The default routes."""
    modes: Mapping[int, LinkMode] = {}
    """Of NICs and bond ports that are up and know it."""
    counters: Mapping[int, Counters] = {}
    qos: Mapping[int, tuple[DeviceQos, ...]] = {}
