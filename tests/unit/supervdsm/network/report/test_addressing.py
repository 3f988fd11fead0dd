# SPDX-License-Identifier: GPL-2.0-or-later
"""Addresses, gateways and DHCP of a device."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervdsm.network.kernel.model import Address, Ipv6Settings, Link, Route, Snapshot
from supervdsm.network.plan.state import MAIN_TABLE, source_table
from supervdsm.network.report.addressing import AddressBook, Common, netmask

ETH0 = Link(7, "eth0", mtu=1500)


def common(*values: Address | Route) -> Common:
    snapshot = Snapshot(
        addresses=tuple(value for value in values if isinstance(value, Address)),
        routes=tuple(value for value in values if isinstance(value, Route)),
    )
    return AddressBook.of(snapshot).common(ETH0)


def default(index: int, table: int, gateway: str, metric: int = 0, version: int = 4) -> Route:
    destination = "::/0" if version == 6 else "0.0.0.0/0"
    return Route(index, version, table, destination, gateway, metric)


def test_a_device_without_addresses() -> None:
    assert common() == Common(
        addr="",
        netmask="",
        ipv4addrs=[],
        ipv6addrs=[],
        ipv6autoconf=False,
        gateway="",
        ipv6gateway="::",
        ipv4defaultroute=False,
        mtu="1500",
        dhcpv4=False,
        dhcpv6=False,
    )


def test_the_primary_address_is_the_first_that_is_not_secondary() -> None:
    found = common(
        Address(7, 4, "192.0.2.6", 24, secondary=True),
        Address(7, 4, "192.0.2.5", 24),
        Address(7, 4, "198.51.100.5", 16),
        Address(8, 4, "203.0.113.5", 24),
    )
    assert (found["addr"], found["netmask"]) == ("192.0.2.5", "255.255.255.0")
    assert found["ipv4addrs"] == ["192.0.2.6/24", "192.0.2.5/24", "198.51.100.5/16"]


def test_link_local_addresses_are_left_out() -> None:
    found = common(Address(7, 6, "fe80::1", 64, link_local=True), Address(7, 6, "2001:db8::1", 64))
    assert found["ipv6addrs"] == ["2001:db8::1/64"]


def test_the_main_tables_best_route_is_the_gateway() -> None:
    found = common(
        default(7, MAIN_TABLE, "192.0.2.2", metric=200),
        default(7, MAIN_TABLE, "192.0.2.1", metric=100),
        default(7, source_table("eth0"), "192.0.2.3"),
        default(8, MAIN_TABLE, "203.0.113.1"),
        default(7, MAIN_TABLE, "fe80::1", version=6),
    )
    assert (found["gateway"], found["ipv4defaultroute"]) == ("192.0.2.1", True)
    assert found["ipv6gateway"] == "fe80::1"


def test_a_source_route_gives_a_gateway_but_no_default_route() -> None:
    found = common(
        default(7, source_table("eth0"), "192.0.2.3"),
        default(7, 4711, "192.0.2.4"),
    )
    assert (found["gateway"], found["ipv4defaultroute"]) == ("192.0.2.3", False)


def test_a_default_route_on_the_link_has_no_gateway() -> None:
    found = common(default(7, MAIN_TABLE, ""), default(7, MAIN_TABLE, "", version=6))
    assert (found["gateway"], found["ipv6gateway"]) == ("", "::")
    assert found["ipv4defaultroute"] is True


def test_an_ipv4_lease() -> None:
    assert common(Address(7, 4, "192.0.2.5", 24, dynamic=True))["dhcpv4"] is True


@pytest.mark.parametrize(
    ("address", "lease"),
    [
        (Address(7, 6, "2001:db8::1", 128, dynamic=True), True),
        (Address(7, 6, "2001:db8::1", 128), False),
        (Address(7, 6, "2001:db8::1", 64, dynamic=True), False),
        (Address(7, 6, "2001:db8::1", 128, dynamic=True, autoconf=True), False),
        (Address(7, 6, "2001:db8::1", 128, dynamic=True, secondary=True), False),
    ],
)
def test_an_ipv6_lease(address: Address, lease: bool) -> None:
    assert common(address)["dhcpv6"] is lease


SETTINGS = Ipv6Settings(disabled=False, accept_ra=1, autoconf=True, defrtr=True, forwarding=False)


@pytest.mark.parametrize(
    ("settings", "autoconf"),
    [
        (SETTINGS, True),
        (SETTINGS._replace(disabled=True), False),
        (SETTINGS._replace(autoconf=False), False),
        (SETTINGS._replace(accept_ra=0), False),
        (SETTINGS._replace(forwarding=True), False),
        (SETTINGS._replace(forwarding=True, accept_ra=2), True),
        (None, False),
    ],
)
def test_ipv6_autoconf_as_the_kernel_would_act(
    settings: Ipv6Settings | None, autoconf: bool
) -> None:
    link = Link(7, "eth0", ipv6=settings)
    assert AddressBook.of(Snapshot()).common(link)["ipv6autoconf"] is autoconf


@given(st.integers(0, 32))
def test_netmask(prefixlen: int) -> None:
    assert ipaddress.IPv4Network(f"0.0.0.0/{netmask(prefixlen)}").prefixlen == prefixlen
