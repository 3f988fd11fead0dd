# SPDX-License-Identifier: GPL-2.0-or-later
"""IP addresses and gateways of a device, in oVirt's words. No I/O.

DHCP is told by lifetimes, which every client sets whoever it is: an IPv4 address whose lifetime
ends is a lease. So is an IPv6 address with a prefix of 128 whose lifetime ends, unless the kernel
made it from a router advertisement or as a temporary address (RFC 8415, 21.6: a lease has no
prefix length).
"""

import ipaddress
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, TypedDict

from supervdsm.network.kernel.model import Address, Link, Route, Snapshot
from supervdsm.network.plan.state import MAIN_TABLE, source_table

_NO_IPV6_GATEWAY: Final = "::"


class Common(TypedDict):
    """The fields of `vdsm_contract.types.Addressing`."""

    addr: str
    netmask: str
    ipv4addrs: list[str]
    ipv6addrs: list[str]
    ipv6autoconf: bool
    gateway: str
    ipv6gateway: str
    ipv4defaultroute: bool
    mtu: str
    dhcpv4: bool
    dhcpv6: bool


@dataclass(frozen=True)
class AddressBook:
    """The addresses and default routes of a snapshot, by the index of their device."""

    addresses: Mapping[int, Sequence[Address]]
    routes: Mapping[int, Sequence[Route]]
    _known: dict[int, Common] = field(default_factory=dict)
    """What was said already: a network says the same as its device."""

    @classmethod
    def of(cls, snapshot: Snapshot) -> "AddressBook":
        """Sort a snapshot's addresses and routes by device, once for all devices."""
        addresses: dict[int, list[Address]] = defaultdict(list)
        for address in snapshot.addresses:
            addresses[address.index].append(address)
        routes: dict[int, list[Route]] = defaultdict(list)
        for route in snapshot.routes:
            routes[route.index].append(route)
        return cls(addresses, routes)

    def common(self, link: Link) -> Common:
        """Return what every device and network says of its addresses."""
        known = self._known.get(link.index)
        if known is None:
            known = self._known[link.index] = self._common(link)
        return known

    def _common(self, link: Link) -> Common:
        addresses = self.addresses.get(link.index, ())
        ipv4 = [address for address in addresses if address.version == 4]
        ipv6 = [a for a in addresses if a.version == 6 and not a.link_local]
        primary = next((address for address in ipv4 if not address.secondary), None)
        route4, route6 = self._route(link, 4), self._route(link, 6)
        return Common(
            addr=primary.address if primary else "",
            netmask=netmask(primary.prefixlen) if primary else "",
            ipv4addrs=[address.cidr for address in ipv4],
            ipv6addrs=[address.cidr for address in ipv6],
            ipv6autoconf=link.ipv6 is not None and link.ipv6.makes_addresses,
            gateway=route4.gateway if route4 else "",
            ipv6gateway=(route6.gateway if route6 else "") or _NO_IPV6_GATEWAY,
            ipv4defaultroute=route4 is not None and route4.table == MAIN_TABLE,
            mtu=str(link.mtu),
            dhcpv4=any(address.dynamic for address in ipv4),
            dhcpv6=any(is_dhcpv6(address) for address in ipv6),
        )

    def _route(self, link: Link, version: int) -> Route | None:
        """Return the device's default route: of the main table, or else of its own table."""
        if link.index not in self.routes:
            return None
        routes = [route for route in self.routes[link.index] if route.version == version]
        for table in (MAIN_TABLE, source_table(link.name)):
            candidates = [route for route in routes if route.table == table]
            if candidates:
                return min(candidates, key=lambda route: route.metric)
        return None


@lru_cache
def netmask(prefixlen: int) -> str:
    """Return the IPv4 netmask of a prefix length: 255.255.255.0 for 24."""
    return str(ipaddress.IPv4Network((0, prefixlen)).netmask)


def is_dhcpv6(address: Address) -> bool:
    """Tell whether an IPv6 address is a lease."""
    temporary = address.secondary
    return address.dynamic and not address.autoconf and not temporary and address.prefixlen == 128
