# SPDX-License-Identifier: GPL-2.0-or-later
"""Our requests against pyroute2's: its parser reads ours, and its own encoding means the same."""

import struct
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyroute2 import IPBatch

from supervdsm.network.apply import messages
from supervdsm.network.kernel.socket import NLM_F_EXCL
from supervdsm.network.plan.state import Address, Route, Rule
from unit.supervdsm.network.apply.oracle import meaning

TABLE = 1_234_567_890

ROUTE = Route(device="x", destination="10.0.0.0/8", gateway="192.0.2.1", metric=7)
ROUTE6 = Route(device="x", destination="2001:db8::/32", gateway="fe80::1", metric=7)


def pyroute2_says(call: Callable[[IPBatch], object]) -> dict[str, Any]:
    """Return the meaning of pyroute2's own encoding."""
    batch = IPBatch()
    call(batch)
    return meaning(bytes(batch.batch))


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (
            messages.create_link(
                "eth0.100", "vlan", mtu=1400, master=7, lower=5, data=messages.vlan_data(100)
            ),
            lambda ip: ip.link(
                "add", ifname="eth0.100", kind="vlan", link=5, vlan_id=100, master=7, mtu=1400
            ),
        ),
        (
            messages.create_link("ovirtmgmt", "bridge", hwaddr="52:54:00:12:34:56"),
            lambda ip: ip.link(
                "add", ifname="ovirtmgmt", kind="bridge", address="52:54:00:12:34:56"
            ),
        ),
        (messages.set_up("x", True), lambda ip: ip.link("set", ifname="x", state="up")),
        (messages.set_up("x", False), lambda ip: ip.link("set", ifname="x", state="down")),
        (messages.set_mtu("x", 9000), lambda ip: ip.link("set", ifname="x", mtu=9000)),
        (
            messages.set_hwaddr("x", "52:54:00:12:34:56"),
            lambda ip: ip.link("set", ifname="x", address="52:54:00:12:34:56"),
        ),
        (messages.set_master("x", 9), lambda ip: ip.link("set", ifname="x", master=9)),
        (messages.set_master("x", 0), lambda ip: ip.link("set", ifname="x", master=0)),
        (messages.set_group("x", 12), lambda ip: ip.link("set", ifname="x", group=12)),
        (messages.delete_link("x"), lambda ip: ip.link("del", ifname="x")),
        (
            messages.add_address(3, Address("192.0.2.9/24")),
            lambda ip: ip.addr(
                "add", index=3, address="192.0.2.9", prefixlen=24, broadcast="192.0.2.255"
            ),
        ),
        (
            messages.add_address(3, Address("192.0.2.9/31")),
            lambda ip: ip.addr("add", index=3, address="192.0.2.9", prefixlen=31),
        ),
        (
            messages.remove_address(3, Address("192.0.2.9/24")),
            lambda ip: ip.addr("del", index=3, address="192.0.2.9", prefixlen=24),
        ),
    ],
    ids=[
        "create a VLAN",
        "create a bridge",
        "up",
        "down",
        "MTU",
        "hardware address",
        "master",
        "no master",
        "group",
        "delete",
        "add an address",
        "add an address of a pair",
        "remove an address",
    ],
)
def test_means_what_pyroute2_s_own_request_means(
    ours: bytes, theirs: Callable[[IPBatch], object]
) -> None:
    expected = pyroute2_says(theirs)
    found = meaning(ours)
    # The kernel does the same for RTM_SETLINK and for RTM_NEWLINK without NLM_F_CREATE.
    for one in (expected, found):
        if one["message"] == messages._RTM_SETLINK:
            one["message"], one["event"] = messages._RTM_NEWLINK, "RTM_NEWLINK"
    assert found == expected


@pytest.mark.parametrize("route", [ROUTE, ROUTE6])
def test_a_route_s_request_differs_from_pyroute2_s_by_the_flag_that_hides_another_route(
    route: Route,
) -> None:
    network, _, length = route.destination.partition("/")
    expected = pyroute2_says(
        lambda ip: ip.route(
            "add", dst=f"{network}/{length}", gateway=route.gateway, oif=3, priority=7, table=254
        )
    )
    found = meaning(messages.add_route(3, route))
    assert expected.pop("nlm_flags") == found.pop("nlm_flags") | NLM_F_EXCL
    assert found == expected


@pytest.mark.parametrize(
    ("route", "fields", "attributes"),
    [
        (
            Route(device="x", destination="0.0.0.0/0", gateway="192.0.2.1", table=TABLE),
            {"table": 0, "dst_len": 0, "scope": 0, "proto": 4, "type": 1, "family": 2},
            {"RTA_TABLE": TABLE, "RTA_OIF": 3, "RTA_GATEWAY": "192.0.2.1"},
        ),
        (
            Route(
                device="x",
                destination="192.0.2.0/24",
                source="192.0.2.9",
                link_scope=True,
                protocol=16,
            ),
            {"table": 254, "dst_len": 24, "scope": 253, "proto": 16},
            {
                "RTA_TABLE": 254,
                "RTA_OIF": 3,
                "RTA_DST": "192.0.2.0",
                "RTA_PREFSRC": "192.0.2.9",
            },
        ),
        (
            Route(device="x", destination="::/0", gateway="fe80::1", onlink=True),
            {"family": 10, "flags": 4, "dst_len": 0},
            {"RTA_TABLE": 254, "RTA_OIF": 3, "RTA_GATEWAY": "fe80::1"},
        ),
    ],
)
def test_a_route_has_its_table_scope_source_protocol_and_flags(
    route: Route, fields: dict[str, int], attributes: dict[str, object]
) -> None:
    found = meaning(messages.add_route(3, route))
    assert {name: found[name] for name in fields} == fields
    assert found["attrs"] == attributes


def test_a_route_is_removed_whatever_its_protocol_and_scope() -> None:
    route = Route(device="x", destination="192.0.2.0/24", link_scope=True, source="192.0.2.9")
    found = meaning(messages.remove_route(3, route))
    assert (found["event"], found["proto"], found["scope"], found["type"]) == (
        "RTM_DELROUTE",
        0,
        255,
        0,
    )
    assert found["attrs"] == {"RTA_TABLE": 254, "RTA_OIF": 3, "RTA_DST": "192.0.2.0"}


def test_an_ipv6_route_without_metric_is_removed_by_the_kernel_s_own_metric() -> None:
    route = Route(device="x", destination="::/0", gateway="fe80::1")
    assert meaning(messages.remove_route(3, route))["attrs"]["RTA_PRIORITY"] == 1024


@pytest.mark.parametrize(
    ("rule", "keywords"),
    [
        (Rule(table=TABLE, source="192.0.2.0/24"), {"src": "192.0.2.0", "src_len": 24}),
        (
            Rule(table=TABLE, destination="192.0.2.0/24", iif="eth0"),
            {"dst": "192.0.2.0", "dst_len": 24, "iifname": "eth0"},
        ),
        (
            Rule(table=TABLE, source="2001:db8::/64", version=6),
            {"src": "2001:db8::", "src_len": 64, "family": 10},
        ),
    ],
)
def test_a_rule_s_request_differs_from_pyroute2_s_by_its_protocol(
    rule: Rule, keywords: dict[str, Any]
) -> None:
    expected = pyroute2_says(lambda ip: ip.rule("add", table=TABLE, priority=3200, **keywords))
    found = meaning(messages.add_rule(rule))
    assert found["attrs"].pop("FRA_PROTOCOL") == 4
    # RT_TABLE_COMPAT and RT_TABLE_UNSPEC: both refer to FRA_TABLE.
    assert (expected.pop("table"), found.pop("table")) == (252, 0)
    assert found == expected


def test_a_rule_is_removed_whatever_its_protocol() -> None:
    found = meaning(messages.remove_rule(Rule(table=TABLE, source="192.0.2.0/24")))
    assert found["event"] == "RTM_DELRULE"
    assert found["attrs"] == {"FRA_TABLE": TABLE, "FRA_PRIORITY": 3200, "FRA_SRC": "192.0.2.0"}


def test_a_lease_has_its_lifetime() -> None:
    found = meaning(messages.add_address(3, Address("192.0.2.9/24", lifetime=600)))
    lifetimes = found["attrs"]["IFA_CACHEINFO"]
    assert (lifetimes["ifa_valid"], lifetimes["ifa_preferred"]) == (600, 600)


def test_a_group_is_deleted_by_no_name() -> None:
    found = meaning(messages.delete_group(77))
    assert (found["event"], found["index"]) == ("RTM_DELLINK", 0)
    assert found["attrs"] == {"IFLA_GROUP": 77}


@given(name=st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=15))
def test_each_request_is_whole_and_on_a_boundary_of_four_bytes(name: str) -> None:
    data = messages.create_link(name, "vlan", data=messages.vlan_data(7), lower=1)
    (length,) = struct.unpack_from("=I", data)
    assert length <= len(data) < length + 4
    assert len(data) % 4 == 0
