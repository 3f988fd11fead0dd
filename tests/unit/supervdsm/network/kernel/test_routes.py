# SPDX-License-Identifier: GPL-2.0-or-later
"""Routes and rules, from bytes as the kernel writes them."""

import struct
from socket import AF_INET, AF_INET6, inet_aton

import pytest
from pyroute2.netlink.rtnl.fibmsg import fibmsg

from supervdsm.network.kernel import attributes, routes, socket
from supervdsm.network.kernel.model import Route, Rule
from unit.supervdsm.network.kernel.packing import Attributes, packed, route


def test_a_default_route() -> None:
    attrs: Attributes = [
        ("RTA_TABLE", 254),
        ("RTA_GATEWAY", "192.0.2.1"),
        ("RTA_OIF", 7),
        ("RTA_PRIORITY", 100),
    ]
    message = route(attrs, proto=4)
    assert routes.decode(message) == [Route(7, 4, 254, "0.0.0.0/0", "192.0.2.1", 100)]
    assert routes.is_default(message)
    assert not routes.is_kernels_own(message)


def test_a_route_with_all_that_can_be_said_of_it() -> None:
    attrs: Attributes = [
        ("RTA_DST", "198.51.100.0"),
        ("RTA_OIF", 7),
        ("RTA_PREFSRC", "192.0.2.5"),
    ]
    message = route(attrs, dst_len=24, proto=3, scope=253, flags=4)
    assert routes.decode(message) == [
        Route(
            7,
            4,
            254,
            "198.51.100.0/24",
            source="192.0.2.5",
            protocol=3,
            link_scope=True,
            onlink=True,
        )
    ]
    assert not routes.is_default(message)


def test_a_table_beyond_the_headers_eight_bits() -> None:
    message = route([("RTA_TABLE", 4000000000), ("RTA_OIF", 7)], table=252)
    assert routes.decode(message)[0].table == 4000000000


def test_an_ipv6_default_route() -> None:
    message = route([("RTA_GATEWAY", "fe80::1"), ("RTA_OIF", 7)], family=AF_INET6, proto=4)
    assert routes.decode(message) == [Route(7, 6, 254, "::/0", "fe80::1")]


@pytest.mark.parametrize("protocol", [2, 9])
def test_routes_that_the_kernel_makes(protocol: int) -> None:
    assert routes.is_kernels_own(route([("RTA_OIF", 7)], proto=protocol))


@pytest.mark.parametrize("fields", [{"type": 7}, {"family": 5}, {"tos": 16}, {"src_len": 24}])
def test_what_is_no_route_for_all_packets_to_a_place(fields: dict[str, object]) -> None:
    assert routes.decode(route([("RTA_OIF", 7)], **fields)) == []


def hop(index: int, *attrs: bytes) -> bytes:
    body = b"".join(attrs)
    return struct.pack("=HBBi", 8 + len(body), 0, 0, index) + body


def by_hops(*hops: bytes) -> memoryview:
    header = routes.HEADER.pack(AF_INET, 0, 0, 0, 254, 3, 0, 1, 0)
    body = header + attributes.attribute(9, b"".join(hops))
    return memoryview(socket.message(routes.RTM_NEWROUTE, 0, body))


def test_a_default_route_with_two_next_hops() -> None:
    message = by_hops(
        hop(7, attributes.ip(5, "192.0.2.1")), hop(8, attributes.ip(5, "198.51.100.1")), hop(0)
    )
    found = routes.decode(message)
    assert [(one.index, one.gateway, one.plain) for one in found] == [
        (7, "192.0.2.1", False),
        (8, "198.51.100.1", False),
    ]


def test_a_single_next_hop_is_plain() -> None:
    found = routes.decode(by_hops(hop(7, attributes.ip(5, "192.0.2.1"))))
    assert [(one.index, one.gateway, one.plain) for one in found] == [(7, "192.0.2.1", True)]


def test_a_gateway_of_the_other_version_is_not_plain() -> None:
    via = attributes.attribute(18, struct.pack("=H", AF_INET6) + bytes(16))
    header = routes.HEADER.pack(AF_INET, 0, 0, 0, 254, 3, 0, 1, 0)
    body = header + attributes.u32(4, 7) + via
    message = memoryview(socket.message(routes.RTM_NEWROUTE, 0, body))
    assert [one.plain for one in routes.decode(message)] == [False]
    assert [one.plain for one in routes.decode(by_hops(hop(7, via)))] == [False]


def rule(attrs: Attributes, **fields: object) -> Rule | None:
    header: dict[str, object] = {"family": AF_INET, "action": 1, "table": 254}
    return routes.decode_rule(packed(fibmsg, header | fields, attrs))


def test_a_rule_of_source_routing() -> None:
    attrs: Attributes = [
        ("FRA_SRC", "192.0.2.0"),
        ("FRA_DST", "198.51.100.0"),
        ("FRA_IIFNAME", "ovirtmgmt"),
        ("FRA_PRIORITY", 3200),
        ("FRA_TABLE", 4000000000),
    ]
    assert rule(attrs, src_len=24, dst_len=25) == Rule(
        4, 4000000000, 3200, "192.0.2.0/24", "198.51.100.0/25", "ovirtmgmt"
    )


def test_a_rule_for_everybody() -> None:
    assert rule([]) == Rule(4, 254, 0)


def test_a_rule_that_leads_to_no_table() -> None:
    assert rule([], action=7) is None


def test_addresses_are_spelled_as_python_spells_them() -> None:
    assert attributes.address(inet_aton("192.0.2.1")) == "192.0.2.1"
    # The C library writes ::ffff:192.0.2.1.
    assert attributes.address(bytes(10) + b"\xff\xff\xc0\0\2\1") == "::ffff:c000:201"
