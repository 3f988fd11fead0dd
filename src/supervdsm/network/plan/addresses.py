# SPDX-License-Identifier: GPL-2.0-or-later
"""The order of a device's IPv4 addresses: what the kernel makes of it, and how to get another one.

The first address of a subnet is its primary one. The first of all is the one that packets leave
with when nothing else decides. Source: net/ipv4/devinet.c. No I/O.
"""

from collections.abc import Iterable
from ipaddress import IPv4Interface, IPv4Network

from supervdsm.network.plan.compare import address_key
from supervdsm.network.plan.state import Address


def inserted(addresses: Iterable[Address], new: Address) -> tuple[Address, ...]:
    """Return addresses in the kernel's order after `new` was added (inet_insert_ifa()).

    An IPv4 address is primary unless its subnet has one already. Primary ones come first.
    """
    found = [one for one in addresses if one.cidr != new.cidr]
    if new.version == 6:
        return (*found, new)
    subnets: set[IPv4Network] = set()
    position = 0
    for index, one in enumerate(found):
        if one.version == 4 and subnet(one) not in subnets:
            subnets.add(subnet(one))
            position = index + 1
    if subnet(new) in subnets:
        position = len(found)
    return (*found[:position], new, *found[position:])


def subnet(address: Address) -> IPv4Network:
    """Return the subnet of an IPv4 address."""
    return IPv4Interface(address.cidr).network


def misplaced(found: list[Address], wanted: list[Address]) -> list[Address]:
    """Return the IPv4 addresses to remove so that adding what is missing leads to the order wanted.

    Their order matters: the first one of a subnet is its primary address, and the first of all is
    the one that packets leave with when nothing else decides.
    """
    keys = {address_key(one) for one in wanted}
    gone = [one for one in found if address_key(one) not in keys]
    kept = [one for one in found if address_key(one) in keys]
    if _primary_goes(gone, found) or _completed(kept, wanted) != [one.cidr for one in wanted]:
        kept = _beginning(found, wanted)
    left = {address_key(one) for one in kept}
    return [one for one in found if address_key(one) not in left]


def _completed(kept: list[Address], wanted: list[Address]) -> list[str]:
    keys = {address_key(one) for one in kept}
    result: tuple[Address, ...] = tuple(kept)
    for one in wanted:
        if address_key(one) not in keys:
            result = inserted(result, one)
    return [one.cidr for one in result]


def _primary_goes(gone: list[Address], found: list[Address]) -> bool:
    """Tell whether a subnet loses its primary address while it has others."""
    first: dict[IPv4Network, Address] = {}
    shared: set[IPv4Network] = set()
    for one in found:
        if first.setdefault(subnet(one), one) is not one:
            shared.add(subnet(one))
    return any(first[subnet(one)] is one and subnet(one) in shared for one in gone)


def _beginning(found: list[Address], wanted: list[Address]) -> list[Address]:
    """Return those of `found` that are, in their order, the first ones wanted."""
    kept: list[Address] = []
    lost: set[IPv4Network] = set()
    for one in found:
        matches = len(kept) < len(wanted) and address_key(one) == address_key(wanted[len(kept)])
        if matches and subnet(one) not in lost:
            kept.append(one)
        else:
            # Its secondary addresses may go with it.
            lost.add(subnet(one))
    return kept
