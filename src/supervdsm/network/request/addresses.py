# SPDX-License-Identifier: GPL-2.0-or-later
"""Check the addresses, gateways and name servers of requested networks (upstream-vdsm 3.4, 3.).

Two networks in one subnet are legal: source routing keeps their traffic apart, and storage with
several paths is built that way. The same address on two networks cannot work. A gateway may be
outside of its network, as upstream allows: its route says that it is on the link. No I/O.
"""

import ipaddress
import re
from collections.abc import Iterable, Mapping
from typing import Final

from supervdsm.network.config import Network
from supervdsm.network.request.refusal import Code, path, quoted, refusal

_Interface = ipaddress.IPv4Interface | ipaddress.IPv6Interface
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_ZONE: Final = re.compile(r"[!-.0-~]{1,15}", re.ASCII)
_MIN_IPV6_MTU: Final = 1280
"""RFC 8200, 5: the kernel ends IPv6 on a device with less."""


def check(networks: Iterable[Network], every: Mapping[str, Network]) -> None:
    """Check the requested `networks`; `every` are all that there will be.

    Raises NetworkConfigError.
    """
    for network in networks:
        _check_ipv4(network)
        _check_ipv6(network)
        _check_nameservers(network)
    _check_unique(networks, every)


def _check_ipv4(network: Network) -> None:
    if network.ipaddr is None:
        for key, value in (("gateway", network.gateway), ("netmask", network.netmask)):
            if value is not None:
                raise _bad(network, key, "is given without ipaddr")
        return
    if network.netmask is None:
        raise _bad(network, "netmask", "is missing: ipaddr needs a netmask or prefix")
    own = _interface(network, "ipaddr", f"{network.ipaddr}/{network.netmask}", network.ipaddr)
    if network.gateway is not None:
        _check_gateway(network, "gateway", network.gateway, own)
    if network.bootproto == "dhcp":
        raise _bad(network, "ipaddr", "is given together with bootproto dhcp")


def _check_ipv6(network: Network) -> None:
    if network.mtu < _MIN_IPV6_MTU and (network.ipv6addr or network.dhcpv6 or network.ipv6autoconf):
        raise refusal(
            Code.BAD_PARAMS,
            path("networks", network.name, "mtu"),
            f"must be at least {_MIN_IPV6_MTU} for IPv6",
        )
    if network.ipv6addr is None:
        if network.ipv6gateway is not None:
            raise _bad(network, "ipv6gateway", "is given without ipv6addr")
        return
    own = _interface(network, "ipv6addr", network.ipv6addr, network.ipv6addr)
    if own.is_link_local:
        raise _bad(network, "ipv6addr", "is link-local: each device has one by itself")
    if network.ipv6gateway is not None:
        _check_gateway(network, "ipv6gateway", network.ipv6gateway, own)


def _interface(network: Network, key: str, text: str, shown: str) -> _Interface:
    try:
        own = ipaddress.ip_interface(text)
    except ValueError:
        own = None
    if own is None or own.version != (4 if key == "ipaddr" else 6):
        raise _bad(network, key, f"is no address: {quoted(shown)}")
    if own.network.prefixlen == 0 or not _of_a_host(own.ip):
        raise _bad(network, key, f"is no address of a host: {quoted(shown)}")
    if _is_network_itself(own.ip, own):
        raise _bad(network, key, f"is the network's own or broadcast address: {quoted(shown)}")
    return own


def _check_gateway(network: Network, key: str, text: str, own: _Interface) -> None:
    try:
        gateway = ipaddress.ip_address(text)
    except ValueError:
        gateway = None
    if gateway is None or gateway.version != own.version:
        raise _bad(network, key, f"is no address: {quoted(text)}")
    if not _of_a_host(gateway) or _is_network_itself(gateway, own):
        raise _bad(network, key, f"is no address of a host: {quoted(text)}")
    if gateway == own.ip:
        raise _bad(network, key, "is the network's own address")


def _of_a_host(address: _Address) -> bool:
    return not (
        address.is_unspecified
        or address.is_loopback
        or address.is_multicast
        or (address.version == 4 and (address.is_reserved or int(address) >> 24 == 0))
        or (isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None)
    )


def _is_network_itself(address: _Address, own: _Interface) -> bool:
    """Tell whether IPv4 takes the address for the network or for all of its hosts (RFC 3021: not
    in the smallest networks).
    """
    ends = (own.network.network_address, own.network.broadcast_address)
    return own.version == 4 and own.network.prefixlen < 31 and address in ends


def _check_nameservers(network: Network) -> None:
    if not network.nameservers:
        return
    where = path("networks", network.name, "nameservers")
    if not network.defaultRoute:
        reason = "may be given only for the network with the default route"
        raise refusal(Code.BAD_PARAMS, where, reason)
    for server in network.nameservers:
        if not _is_nameserver(server):
            raise refusal(Code.BAD_ADDR, where, f"has what is no address: {quoted(server)}")


def _is_nameserver(text: str) -> bool:
    """Tell whether resolv.conf(5) can name it; a link-local one needs a zone, the device."""
    plain, zoned, zone = text.partition("%")
    try:
        address = ipaddress.ip_address(plain)
    except ValueError:
        return False
    if zoned and not (address.version == 6 and address.is_link_local and _ZONE.fullmatch(zone)):
        return False
    return not (address.is_unspecified or address.is_multicast)


def _check_unique(networks: Iterable[Network], every: Mapping[str, Network]) -> None:
    """Refuse an address that two networks have; the requested network is named."""
    owners: dict[str, list[str]] = {}
    for network in every.values():
        for address in _plain_addresses(network):
            owners.setdefault(address, []).append(network.name)
    for network in networks:
        for address in _plain_addresses(network):
            others = [name for name in owners[address] if name != network.name]
            if others:
                key = "ipv6addr" if ":" in address else "ipaddr"
                raise _bad(network, key, f"{address} is the address of {quoted(others[0])}, too")


def _plain_addresses(network: Network) -> list[str]:
    both = (network.ipaddr, network.ipv6addr)
    return [address.partition("/")[0] for address in both if address is not None]


def _bad(network: Network, key: str, reason: str) -> Exception:
    return refusal(Code.BAD_ADDR, path("networks", network.name, key), reason)
