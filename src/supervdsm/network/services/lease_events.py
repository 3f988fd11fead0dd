# SPDX-License-Identifier: GPL-2.0-or-later
"""What is done when a lease came, changed or went; dhcpcd itself has set the address by then, and
the routes of table `main`.

This keeps the source routes of a device that is not the default route's, and notes what else the
server told (`leases.py`). It runs in the client's container and does not need supervdsm to be
alive. The host's name and resolv.conf are not touched here.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from supervdsm.network.services import source_routes
from supervdsm.network.services.leases import Lease, Leases, addresses
from supervdsm.network.services.wishes import Wishes, instance_name

_IPV6: Final = "dhcp6"


def happened(
    told: Mapping[str, str], wishes: Wishes | None = None, leases: Leases | None = None
) -> None:
    """Act on dhcpcd's variables `told`. Raises OSError and ValueError."""
    wishes, leases = wishes or Wishes(), leases or Leases()
    device = told["interface"]
    instance = instance_name(device)
    known = leases.read(instance)
    up = told.get("if_up") == "true"
    if told["protocol"] == _IPV6:
        leases.write(instance, msgspec.structs.replace(known, ipv6=lease6(told) if up else Lease()))
        return
    lease = lease4(told) if up else Lease()
    default = wishes.exists(instance) and wishes.read(instance).dhcp.default_route
    routes, rules = source_routes.wanted(device, Lease() if default else lease)
    source_routes.replace(device, routes, rules, default=default)
    # Last: whoever waits for a lease finds all of it.
    leases.write(instance, msgspec.structs.replace(known, ipv4=lease))


def lease4(told: Mapping[str, str]) -> Lease:
    """Return the IPv4 lease in dhcpcd's variables."""
    address = addresses(told.get("new_ip_address", ""), 4)
    gateways = addresses(told.get("new_routers", ""), 4)
    return Lease(
        address=f"{address[0]}/{told.get('new_subnet_cidr', '32')}" if address else "",
        gateway=gateways[0] if gateways else "",
        nameservers=addresses(told.get("new_domain_name_servers", ""), 4),
    )


def lease6(told: Mapping[str, str]) -> Lease:
    """Return the first address of the IPv6 lease, and its name servers."""
    address = addresses(told.get("new_dhcp6_ia_na1_ia_addr1", ""), 6)
    return Lease(
        address=f"{address[0]}/128" if address else "",
        nameservers=addresses(told.get("new_dhcp6_name_servers", ""), 6),
    )
