# SPDX-License-Identifier: GPL-2.0-or-later
"""What a network asks for above the link: addresses, routes, rules, a DHCP client. No I/O.

A network without the default route gets source routing (upstream-vdsm 3.5): what has an address of
its subnet, and what goes there, takes the way of a table of its own. The routes there are the
subnet on the device and the default one through the gateway; the rules are
`from SUBNET lookup TABLE` and `to SUBNET lookup TABLE`. IPv4 only. For a DHCP network the client
makes them, since it alone knows the gateway.
"""

from dataclasses import dataclass, field
from ipaddress import IPv4Interface, IPv6Interface, ip_address, ip_interface
from typing import Final

from supervdsm.network.config import Network
from supervdsm.network.plan.state import MAIN_TABLE, Address, Dhcp, Ipv6, Route, Rule, source_table

IPV6_OFF: Final = Ipv6(disabled=True, accept_ra=0, autoconf=False)
_EVEN_IF_FORWARDING: Final = 2
"""accept_ra: a host whose networks are routed for guests is a host all the same."""
_NO_GATEWAY: Final = "::"
"""What the engine sends for `ipv6gateway` when there is none."""


@dataclass(frozen=True, slots=True)
class Protocols:
    """IP on the device of a network; without arguments, none."""

    addresses: tuple[Address, ...] = ()
    dynamic: tuple[int, ...] = ()
    ipv6: Ipv6 = IPV6_OFF
    dhcp: Dhcp | None = None
    routes: frozenset[Route] = field(default_factory=frozenset)
    rules: frozenset[Rule] = field(default_factory=frozenset)


def protocols(network: Network) -> Protocols:
    """Return what a network wants on its device `iface`."""
    dhcp4 = network.bootproto == "dhcp"
    addresses = []
    if network.ipaddr:
        addresses.append(Address(str(IPv4Interface(f"{network.ipaddr}/{network.netmask}"))))
    if network.ipv6addr:
        addresses.append(Address(str(IPv6Interface(network.ipv6addr))))
    learns6 = network.dhcpv6 or network.ipv6autoconf
    return Protocols(
        addresses=tuple(addresses),
        dynamic=(4,) * dhcp4 + (6,) * learns6,
        ipv6=_ipv6(network),
        dhcp=Dhcp(dhcp4, network.dhcpv6, network.defaultRoute) if dhcp4 or network.dhcpv6 else None,
        routes=_routes(network),
        rules=_rules(network),
    )


def _ipv6(network: Network) -> Ipv6:
    learns = network.dhcpv6 or network.ipv6autoconf
    if not (network.ipv6addr or learns):
        return IPV6_OFF
    return Ipv6(
        disabled=False,
        # DHCPv6 tells no gateway: the router advertises itself.
        accept_ra=_EVEN_IF_FORWARDING if learns else 0,
        autoconf=network.ipv6autoconf,
        defrtr=network.defaultRoute,
    )


def _routes(network: Network) -> frozenset[Route]:
    found = set()
    iface = network.iface
    if network.gateway and network.ipaddr:
        own = IPv4Interface(f"{network.ipaddr}/{network.netmask}")
        onlink = ip_address(network.gateway) not in own.network
        if network.defaultRoute:
            found.add(_default(iface, network.gateway, onlink=onlink))
        else:
            table = source_table(iface)
            found.add(_default(iface, network.gateway, table=table, onlink=onlink))
            found.add(
                Route(device=iface, destination=str(own.network), table=table, link_scope=True)
            )
    gateway6 = network.ipv6gateway
    if gateway6 and gateway6 != _NO_GATEWAY and network.ipv6addr and network.defaultRoute:
        address = ip_address(gateway6.partition("%")[0])
        onlink = not address.is_link_local and address not in ip_interface(network.ipv6addr).network
        found.add(Route(device=iface, destination="::/0", gateway=str(address), onlink=onlink))
    return frozenset(found)


def _default(iface: str, gateway: str, *, onlink: bool, table: int = MAIN_TABLE) -> Route:
    return Route(device=iface, destination="0.0.0.0/0", gateway=gateway, table=table, onlink=onlink)


def _rules(network: Network) -> frozenset[Rule]:
    if network.defaultRoute or not (network.gateway and network.ipaddr):
        return frozenset()
    subnet = str(IPv4Interface(f"{network.ipaddr}/{network.netmask}").network)
    table = source_table(network.iface)
    return frozenset({Rule(table=table, source=subnet), Rule(table=table, destination=subnet)})
