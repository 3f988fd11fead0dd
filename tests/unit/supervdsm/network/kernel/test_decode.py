# SPDX-License-Identifier: GPL-2.0-or-later
"""Decoding, from bytes as the kernel writes them: pyroute2 packs and unpacks each message here.

The test machines' kernel has no bonds, VLANs and HFSC; the VM ring has them for real.
"""

from typing import Any

import pytest
from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg
from pyroute2.netlink.rtnl.rtmsg import rtmsg

from supervdsm.network.kernel import decode
from supervdsm.network.kernel.model import Address, BondPort, DefaultRoute, Link
from supervdsm.network.qos import Curve, HfscClass

IFF_ALL = 0x11043


def packed(cls: Any, fields: dict[str, object], attrs: list[tuple[str, object]]) -> Any:
    """Return a message after a trip through bytes."""
    message = cls()
    for name, value in fields.items():
        message[name] = value
    message["attrs"] = attrs
    message.encode()
    arrived = cls(message.data)
    arrived.decode()
    return arrived


def link(attrs: list[tuple[str, object]], **linkinfo: object) -> Link:
    common: list[tuple[str, object]] = [("IFLA_IFNAME", "dev"), ("IFLA_MTU", 9000)]
    if linkinfo:
        nested = [(f"IFLA_INFO_{name.upper()}", value) for name, value in linkinfo.items()]
        common.append(("IFLA_LINKINFO", {"attrs": nested}))
    return decode.link(packed(ifinfmsg, {"index": 7, "flags": IFF_ALL}, common + attrs))


def test_a_physical_device() -> None:
    assert link(
        [
            ("IFLA_ADDRESS", "52:54:00:12:34:56"),
            ("IFLA_PARENT_DEV_NAME", "0000:01:00.0"),
            ("IFLA_QDISC", "mq"),
        ]
    ) == Link(
        index=7,
        name="dev",
        flags=IFF_ALL,
        mtu=9000,
        hwaddr="52:54:00:12:34:56",
        physical=True,
        qdisc="mq",
    )


def test_a_vlan_knows_its_lower_device() -> None:
    data = {"attrs": [("IFLA_VLAN_ID", 100)]}
    found = link([("IFLA_LINK", 3)], kind="vlan", data=data)
    assert (found.kind, found.lower, found.vlanid) == ("vlan", 3, 100)


def test_a_lower_device_in_another_namespace_is_none_of_ours() -> None:
    data = {"attrs": [("IFLA_VLAN_ID", 100)]}
    found = link([("IFLA_LINK", 3), ("IFLA_LINK_NETNSID", 0)], kind="vlan", data=data)
    assert found.lower == 0


@pytest.mark.parametrize(("state", "stp"), [(0, False), (1, True), (2, True)])
def test_a_bridge_knows_its_stp(state: int, stp: bool) -> None:
    data = {"attrs": [("IFLA_BR_STP_STATE", state)]}
    assert link([], kind="bridge", data=data).stp is stp


def test_a_bond_port_knows_its_own_hardware_address() -> None:
    data = {
        "attrs": [
            ("IFLA_BOND_SLAVE_PERM_HWADDR", "52:54:00:00:00:01"),
            ("IFLA_BOND_SLAVE_AD_AGGREGATOR_ID", 2),
        ]
    }
    found = link([("IFLA_MASTER", 9)], slave_kind="bond", slave_data=data)
    assert found.master == 9
    assert found.port == BondPort(permhwaddr="52:54:00:00:00:01", aggregator=2)


def test_a_port_of_a_bond_that_does_not_aggregate() -> None:
    data = {"attrs": [("IFLA_BOND_SLAVE_PERM_HWADDR", "52:54:00:00:00:01")]}
    found = link([("IFLA_MASTER", 9)], slave_kind="bond", slave_data=data)
    assert found.port == BondPort(permhwaddr="52:54:00:00:00:01", aggregator=None)


def test_a_bridge_port_is_no_bond_port() -> None:
    assert link([("IFLA_MASTER", 9)], slave_kind="bridge").port is None


class FakeMessage:
    """A decoded message, for attributes that pyroute2 cannot pack."""

    def __init__(self, attrs: dict[str, Any], **fields: Any) -> None:
        self._attrs = attrs
        self._fields = fields

    def __getitem__(self, key: str) -> Any:
        return self._fields[key]

    def get_attr(self, name: str) -> Any:
        return self._attrs.get(name)

    def get_nested(self, *names: str) -> Any:
        value: Any = self._attrs
        for name in names:
            value = value.get(name) if value is not None else None
        return value


CONF = {"disable_ipv6": 0, "autoconf": 1, "accept_ra": 1, "forwarding": 0}


@pytest.mark.parametrize(
    ("change", "autoconf"),
    [
        ({}, True),
        ({"disable_ipv6": 1}, False),
        ({"autoconf": 0}, False),
        ({"accept_ra": 0}, False),
        ({"forwarding": 1}, False),
        ({"forwarding": 1, "accept_ra": 2}, True),
    ],
)
def test_ipv6_autoconf_as_the_kernel_would_act(change: dict[str, int], autoconf: bool) -> None:
    message = FakeMessage(
        {"IFLA_IFNAME": "dev", "IFLA_AF_SPEC": {"AF_INET6": {"IFLA_INET6_CONF": CONF | change}}},
        index=1,
        flags=0,
    )
    assert decode.link(message).ipv6autoconf is autoconf


def address(
    family: int, scope: int, flags: int, attrs: list[tuple[str, object]], prefixlen: int = 24
) -> list[Address]:
    fields: dict[str, object] = {
        "family": family,
        "prefixlen": prefixlen,
        "scope": scope,
        "index": 7,
        "flags": flags & 0xFF,
    }
    # RTM_NEWADDR: pyroute2 reads the family out of the header to unpack an address.
    message = packed(ifaddrmsg, fields, [*attrs, ("IFA_FLAGS", flags)])
    return list(decode.addresses([message]))


def test_a_static_address() -> None:
    attrs: list[tuple[str, object]] = [("IFA_ADDRESS", "192.0.2.5"), ("IFA_LOCAL", "192.0.2.5")]
    assert address(decode.AF_INET, 0, 0x80, attrs) == [Address(7, 4, "192.0.2.5", 24)]


def test_our_own_end_of_a_point_to_point_link() -> None:
    attrs: list[tuple[str, object]] = [("IFA_ADDRESS", "192.0.2.9"), ("IFA_LOCAL", "192.0.2.5")]
    assert address(decode.AF_INET, 0, 0x80, attrs)[0].address == "192.0.2.5"


def test_a_leased_secondary_address() -> None:
    attrs: list[tuple[str, object]] = [("IFA_ADDRESS", "192.0.2.5"), ("IFA_LOCAL", "192.0.2.5")]
    assert address(decode.AF_INET, 0, 0x01, attrs) == [
        Address(7, 4, "192.0.2.5", 24, secondary=True, dynamic=True)
    ]


def test_a_link_local_address() -> None:
    attrs: list[tuple[str, object]] = [("IFA_ADDRESS", "fe80::1")]
    assert address(decode.AF_INET6, 253, 0x80, attrs, 64) == [
        Address(7, 6, "fe80::1", 64, link_local=True)
    ]


def test_an_address_from_a_router_advertisement() -> None:
    attrs: list[tuple[str, object]] = [("IFA_ADDRESS", "2001:db8::1"), ("IFA_PROTO", 2)]
    found = address(decode.AF_INET6, 0, 0x100, attrs, 64)
    assert found == [Address(7, 6, "2001:db8::1", 64, dynamic=True, autoconf=True)]


def route(
    attrs: list[tuple[str, object]], family: int = decode.AF_INET, **fields: object
) -> list[DefaultRoute]:
    header: dict[str, object] = {"family": family, "dst_len": 0, "type": 1, "table": 254}
    return list(decode.default_routes([packed(rtmsg, header | fields, attrs)]))


def test_a_default_route() -> None:
    attrs: list[tuple[str, object]] = [
        ("RTA_TABLE", 254),
        ("RTA_GATEWAY", "192.0.2.1"),
        ("RTA_OIF", 7),
        ("RTA_PRIORITY", 100),
    ]
    assert route(attrs) == [DefaultRoute(7, 4, 254, "192.0.2.1", 100)]


def test_a_table_beyond_the_headers_eight_bits() -> None:
    attrs: list[tuple[str, object]] = [("RTA_TABLE", 4000000000), ("RTA_OIF", 7)]
    assert route(attrs, table=252) == [DefaultRoute(7, 4, 4000000000, "")]


def test_an_ipv6_default_route() -> None:
    attrs: list[tuple[str, object]] = [("RTA_GATEWAY", "fe80::1"), ("RTA_OIF", 7)]
    assert route(attrs, decode.AF_INET6) == [DefaultRoute(7, 6, 254, "fe80::1")]


@pytest.mark.parametrize("fields", [{"dst_len": 24}, {"type": 7}, {"family": 5}])
def test_what_is_no_default_route(fields: dict[str, object]) -> None:
    header = {"family": decode.AF_INET, "dst_len": 0, "type": 1, "table": 254} | fields
    message = FakeMessage({"RTA_OIF": 7}, **header)
    assert list(decode.default_routes([message])) == []


def test_a_default_route_with_two_next_hops() -> None:
    hops = [
        FakeMessage({"RTA_GATEWAY": "192.0.2.1"}, oif=7),
        FakeMessage({"RTA_GATEWAY": "198.51.100.1"}, oif=8),
    ]
    header = {"family": decode.AF_INET, "dst_len": 0, "type": 1, "table": 254}
    message = FakeMessage({"RTA_MULTIPATH": hops}, **header)
    assert [(found.index, found.gateway) for found in decode.default_routes([message])] == [
        (7, "192.0.2.1"),
        (8, "198.51.100.1"),
    ]


def test_hfsc_classes() -> None:
    curve = {"m1": 0, "d": 0, "m2": 125}
    messages = [
        FakeMessage(
            {"TCA_KIND": "hfsc", "TCA_OPTIONS": {"TCA_HFSC_FSC": curve}}, handle=0x13891388
        ),
        FakeMessage({"TCA_KIND": "htb"}, handle=0x10001),
    ]
    assert list(decode.hfsc_classes(messages)) == [HfscClass(0x13891388, ls=Curve(0, 0, 125))]
