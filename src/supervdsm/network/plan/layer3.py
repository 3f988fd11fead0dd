# SPDX-License-Identifier: GPL-2.0-or-later
"""The steps of a plan for addresses, routes and rules: those not wanted go early, those that are
missing come late. No I/O.
"""

from collections.abc import Iterable
from ipaddress import ip_interface, ip_network

from supervdsm.network.plan import operations as op
from supervdsm.network.plan.addresses import misplaced
from supervdsm.network.plan.compare import LEARNED, address_key, route_key
from supervdsm.network.plan.forecast import Forecast
from supervdsm.network.plan.state import Address, Route, Rule, State, source_table


class Layer3:
    """The addresses, routes and rules of a target, and what of them is a DHCP client's."""

    def __init__(self, forecast: Forecast, current: State, target: State) -> None:
        self._forecast = forecast
        self._target = target
        self._tables = {
            source_table(name): name for name in sorted(target.devices.keys() | target.absent)
        }
        self._kept_clients = {
            name: client for name, client in target.dhcp.items() if current.dhcp.get(name) == client
        }
        self._dynamic = {name: _dynamic(target, name) for name in target.devices}
        self._routes = {
            route_key(route): route
            for route in target.routes
            if route.device in target.devices and not self._leaves_to_others(route)
        }
        self._rules = {
            rule
            for rule in target.rules
            if not self._is_client_asked(self._tables.get(rule.table, ""), rule.version)
        }

    def remove(self, doomed: Iterable[str]) -> None:
        """Remove what is not wanted. A device that is to be deleted takes its own along."""
        going = set(doomed)
        do = self._forecast.do
        for rule in sorted(self._forecast.rules, key=_rule_order):
            if self._is_unwanted_rule(rule, going):
                do(op.RemoveRule(rule))
        staying = [
            name
            for name in self._target.devices
            if name in self._forecast.devices and name not in going
        ]
        for name in staying:
            found = self._forecast.routes_of(name)
            for key in sorted(found.keys() - self._routes.keys()):
                if not self._is_kept_route(found[key]):
                    do(op.RemoveRoute(found[key]))
        for name in staying:
            for address in self._unwanted_addresses(name):
                do(op.RemoveAddress(name, address))

    def add(self) -> None:
        """Add what is missing: addresses, then routes, then rules."""
        do = self._forecast.do
        for name in self._target.devices:
            if name in self._forecast.devices:
                for address in self._missing_addresses(name):
                    do(op.AddAddress(name, address))
        for route in sorted(self._routes.values(), key=_route_order):
            known = self._forecast.routes_of(route.device)
            if route_key(route) not in known and self._carries(route.device, route.version):
                do(op.AddRoute(route))
        for rule in sorted(self._rules - self._forecast.rules, key=_rule_order):
            do(op.AddRule(rule))

    # -- addresses -------------------------------------------------------------------------------

    def _wanted_addresses(self, name: str) -> list[Address] | None:
        wanted = self._target.devices[name].addresses
        if wanted is None:
            return None
        dynamic = self._dynamic[name]
        return [
            one
            for one in wanted
            if not (one.version in dynamic and one.lifetime)
            and not self._is_client_asked(name, one.version)
        ]

    def _unwanted_addresses(self, name: str) -> list[Address]:
        found = [
            one
            for one in self._forecast.devices[name].addresses or ()
            if not self._is_kept_address(name, one)
        ]
        wanted = self._wanted_addresses(name) if found else None
        if wanted is None:
            return []
        keys = {address_key(one) for one in wanted}
        gone = [one for one in found if one.version == 6 and address_key(one) not in keys]
        found4 = [one for one in found if one.version == 4]
        wanted4 = [one for one in wanted if one.version == 4]
        # Secondary addresses go before their primary one, whether or not the kernel would promote.
        return gone + list(reversed(misplaced(found4, wanted4)))

    def _missing_addresses(self, name: str) -> list[Address]:
        wanted = self._wanted_addresses(name)
        if not wanted:
            return []
        found = {address_key(one) for one in self._forecast.devices[name].addresses or ()}
        return [
            one
            for one in wanted
            if address_key(one) not in found and (one.version == 4 or self._has_ipv6(name))
        ]

    def _is_kept_address(self, name: str, address: Address) -> bool:
        """Tell whether it is a client's own address: it has a lease.

        A lease that is for ever is not to be told from a static address. It is what a running
        client has instead of one that ends, and what it had where the target says how things were.
        """
        version = address.version
        if version not in self._dynamic[name]:
            return False
        if address.lifetime:
            return True
        wanted = self._target.devices[name]
        if version not in wanted.dynamic:
            return any(one.cidr == address.cidr for one in wanted.addresses or ())
        return self._keeps_client(name, version) and not any(
            one.lifetime and one.version == version
            for one in self._forecast.devices[name].addresses or ()
        )

    # -- routes and rules ------------------------------------------------------------------------

    def _is_kept_route(self, route: Route) -> bool:
        return route.protocol in LEARNED and route.version in self._dynamic[route.device]

    def _leaves_to_others(self, route: Route) -> bool:
        if self._is_client_asked(route.device, route.version):
            return True
        return route.protocol in LEARNED and route.version in self._dynamic[route.device]

    def _is_unwanted_rule(self, rule: Rule, going: set[str]) -> bool:
        name = self._tables.get(rule.table, "")
        if rule in self._rules or not (
            name or rule.iif in self._target.devices or rule.iif in going
        ):
            return False
        return rule.version not in self._dynamic.get(name, ()) or not self._serves_lease(name, rule)

    def _serves_lease(self, name: str, rule: Rule) -> bool:
        """Tell whether a rule is for the subnet of an address that a DHCP client keeps."""
        if name not in self._forecast.devices:
            return False
        net = ip_network(rule.source or rule.destination or "0.0.0.0/32", strict=False)
        return any(
            ip_interface(one.cidr).network == net and self._is_kept_address(name, one)
            for one in self._forecast.devices[name].addresses or ()
        )

    def _keeps_client(self, name: str, version: int) -> bool:
        return name in self._kept_clients and self._asks(name, version)

    def _is_client_asked(self, name: str, version: int) -> bool:
        """Tell whether a client will bring it, and the target does not say what is static."""
        device = self._target.devices.get(name)
        return device is not None and version not in device.dynamic and self._asks(name, version)

    def _asks(self, name: str, version: int) -> bool:
        client = self._target.dhcp.get(name)
        return client is not None and (client.ipv4 if version == 4 else client.ipv6)

    def _carries(self, name: str, version: int) -> bool:
        """Tell whether the kernel takes routes for a device now."""
        device = self._forecast.devices.get(name)
        return device is not None and bool(device.up) and (version == 4 or self._has_ipv6(name))

    def _has_ipv6(self, name: str) -> bool:
        ipv6 = self._forecast.devices[name].ipv6
        return ipv6 is None or not ipv6.disabled


def _dynamic(target: State, name: str) -> frozenset[int]:
    """Return the IP versions in which something else than us may add to a device."""
    device = target.devices[name]
    found = set(device.dynamic)
    client = target.dhcp.get(name)
    if client is not None:
        found.update(version for version, on in ((4, client.ipv4), (6, client.ipv6)) if on)
    if device.ipv6 is not None and not device.ipv6.disabled and device.ipv6.accept_ra:
        found.add(6)
    return frozenset(found)


def _route_order(route: Route) -> tuple[bool, int, int, str, str]:
    # A gateway must be on a link that is known already.
    return (bool(route.gateway), route.table, route.metric, route.destination, route.device)


def _rule_order(rule: Rule) -> tuple[int, int, str, str, str, int]:
    return (
        rule.version,
        rule.table,
        rule.source,
        rule.destination,
        rule.iif,
        rule.priority,
    )
