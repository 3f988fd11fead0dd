# SPDX-License-Identifier: GPL-2.0-or-later
"""The source routes of a lease."""

from supervdsm.network.config import Network
from supervdsm.network.plan.protocols import protocols
from supervdsm.network.plan.state import Route, Rule, source_table
from supervdsm.network.services.leases import Lease
from supervdsm.network.services.source_routes import wanted

TABLE = source_table("ovirtmgmt")


def test_a_lease_has_the_routes_and_rules_of_a_static_address() -> None:
    routes, rules = wanted("ovirtmgmt", Lease("192.0.2.20/24", "192.0.2.1"))
    assert rules == {
        Rule(table=TABLE, source="192.0.2.0/24"),
        Rule(table=TABLE, destination="192.0.2.0/24"),
    }
    assert {(route.destination, route.gateway, route.table) for route in routes} == {
        ("0.0.0.0/0", "192.0.2.1", TABLE),
        ("192.0.2.0/24", "", TABLE),
    }
    static = protocols(
        Network(
            name="ovirtmgmt",
            nic="eth0",
            ipaddr="192.0.2.20",
            netmask="255.255.255.0",
            gateway="192.0.2.1",
        )
    )
    assert rules == static.rules
    assert {(route.destination, route.gateway) for route in routes} == {
        (route.destination, route.gateway) for route in static.routes
    }


def test_its_routes_are_known_as_a_client_s() -> None:
    routes, _ = wanted("ovirtmgmt", Lease("192.0.2.20/24", "192.0.2.1"))
    assert {route.protocol for route in routes} == {16}


def test_a_gateway_outside_of_the_subnet_is_on_the_link() -> None:
    routes, _ = wanted("nic0", Lease("192.0.2.20/32", "198.51.100.1"))
    (default,) = (route for route in routes if route.gateway)
    assert default.onlink


def test_without_a_gateway_or_a_lease_there_is_none() -> None:
    nothing: tuple[frozenset[Route], frozenset[Rule]] = (frozenset(), frozenset())
    assert wanted("nic0", Lease("192.0.2.20/24")) == nothing
    assert wanted("nic0", Lease()) == nothing
