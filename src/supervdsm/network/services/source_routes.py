# SPDX-License-Identifier: GPL-2.0-or-later
"""The source routes of a lease: what leaves by the address of a device leaves through that device.

The same as for a static address (`plan/protocols.py`): a table of the device's own, and rules that
lead there. IPv6 routes are the kernel's, from router advertisements.
"""

import errno
import ipaddress
import logging
import socket
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from supervdsm.network.apply import messages
from supervdsm.network.config import Network
from supervdsm.network.kernel import routes as kernel
from supervdsm.network.kernel.attributes import u32
from supervdsm.network.kernel.socket import NetlinkSocket
from supervdsm.network.plan.protocols import protocols
from supervdsm.network.plan.state import MAIN_TABLE, RULE_PRIORITY, Route, Rule, source_table
from supervdsm.network.services.leases import Lease

_log = logging.getLogger(__name__)

_ANYWHERE: Final = "0.0.0.0/0"
_RTPROT_DHCP: Final = 16
_RTA_TABLE: Final = 15
_FINE: Final = frozenset({errno.EEXIST, errno.ESRCH, errno.ENOENT})
"""It was there already, or gone already."""


def wanted(device: str, lease: Lease) -> tuple[frozenset[Route], frozenset[Rule]]:
    """Return the routes and rules of a lease; none without a gateway: there is no way to prefer."""
    if not lease.address or not lease.gateway:
        return frozenset(), frozenset()
    own = ipaddress.IPv4Interface(lease.address)
    static = protocols(
        Network(
            name=device,
            nic=device,
            bridged=False,
            ipaddr=str(own.ip),
            netmask=str(own.netmask),
            gateway=lease.gateway,
        )
    )
    routes = (msgspec.structs.replace(route, protocol=_RTPROT_DHCP) for route in static.routes)
    return frozenset(routes), static.rules


def replace(device: str, routes: Iterable[Route], rules: Iterable[Rule], *, default: bool) -> None:
    """Make `routes` and `rules` all that there is of source routing for `device`.

    Unless `default`, a default route that an earlier lease put into table `main` goes, too. Raises
    OSError.
    """
    index = socket.if_nametoindex(device)
    with NetlinkSocket() as netlink:
        old_rules = frozenset(_rules(netlink, device))
        old_routes = frozenset(_routes(netlink, device, index, source_table(device)))
        wanted_rules, wanted_routes = frozenset(rules), frozenset(routes)
        leave = old_routes - wanted_routes
        if not default:
            leave |= frozenset(
                route
                for route in _routes(netlink, device, index, MAIN_TABLE)
                if route.destination == _ANYWHERE and route.protocol == _RTPROT_DHCP
            )
        requests = [
            *(messages.remove_rule(rule) for rule in old_rules - wanted_rules),
            *(messages.remove_route(index, route) for route in leave),
            # The subnet first: the gateway is in it.
            *(
                messages.add_route(index, route)
                for route in sorted(wanted_routes - old_routes, key=lambda one: one.gateway)
            ),
            *(messages.add_rule(rule) for rule in wanted_rules - old_rules),
        ]
        for refusal in netlink.send_batch(requests):
            if refusal is not None and refusal.errno not in _FINE:
                raise OSError(refusal.errno, f"{device}: source routes: {refusal.reason}")


def _rules(netlink: NetlinkSocket, device: str) -> Iterator[Rule]:
    table = source_table(device)
    for message in netlink.dump(kernel.RTM_GETRULE, kernel.ALL_RULES):
        rule = kernel.decode_rule(message)
        if rule and rule.version == 4 and (rule.table, rule.priority) == (table, RULE_PRIORITY):
            yield Rule(table=table, source=rule.source, destination=rule.destination, iif=rule.iif)


def _routes(netlink: NetlinkSocket, device: str, index: int, table: int) -> Iterator[Route]:
    header = kernel.HEADER.pack(socket.AF_INET, 0, 0, 0, 0, 0, 0, kernel.RTN_UNICAST, 0)
    try:
        dump = netlink.dump(kernel.RTM_GETROUTE, header, u32(_RTA_TABLE, table))
    except OSError as error:
        if error.errno == errno.ENOENT:
            return  # No route has this table made so far.
        raise
    for message in dump:
        for route in kernel.decode(message):
            if route.index == index and route.table == table:
                yield Route(
                    device=device,
                    destination=route.destination,
                    gateway=route.gateway,
                    table=table,
                    metric=route.metric,
                    source=route.source,
                    protocol=route.protocol,
                    onlink=route.onlink,
                    link_scope=route.link_scope,
                )
