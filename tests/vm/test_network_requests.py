# SPDX-License-Identifier: GPL-2.0-or-later
"""Default routes that move, a NIC that somebody else configured, and requests that are wrong."""

from collections.abc import Iterator
from typing import Any, Final

import pytest

from machines import Report
from vm.engine import Refused
from vm.kernel import source_table
from vm.site import Site

MASK: Final = "255.255.255.0"


def network(number: int, **more: Any) -> dict[str, Any]:
    """A network with both addresses on a VLAN over eth1, and its gateways."""
    return {
        "nic": "eth1",
        "vlan": 100 * number,
        "ipaddr": f"10.{number}.0.2",
        "netmask": MASK,
        "gateway": f"10.{number}.0.1",
        "ipv6addr": f"2001:db8:{number}::2/64",
        "ipv6gateway": f"2001:db8:{number}::1",
        **more,
    }


def test_a_default_route_moves_from_one_network_to_another(clean: Site) -> None:
    for number in (1, 2):
        clean.peer.vlan(100 * number, f"10.{number}.0.1/24", f"2001:db8:{number}::1/64")
    clean.shell("cp /etc/resolv.conf /run/resolv.conf.before")
    asked = {"red": network(1, defaultRoute=True), "blue": network(2, bridged=False)}
    clean.setup(asked)
    found = clean.kernel()
    default4, default6 = ("default", "10.1.0.1"), ("default", "2001:db8:1::1")
    assert {default4, default6} <= found.routes_of("red")
    assert not found.source_rules("red")
    blue = "eth1.200"
    assert ("default", "10.2.0.1") in found.routes_of(blue, source_table(blue))
    # An engine names only the network that becomes the default one.
    clean.setup({"blue": network(2, bridged=False, defaultRoute=True, nameservers=["10.2.0.1"])})
    found = clean.kernel()
    assert {("default", "10.2.0.1"), ("default", "2001:db8:2::1")} <= found.routes_of(blue)
    assert not found.source_rules(blue)
    assert found.routes_of(blue, source_table(blue)) == set()
    assert not {default4, default6} & found.routes_of("red")
    assert default4 in found.routes_of("red", source_table("red"))
    assert ("src", "10.1.0.0/24") in found.source_rules("red")
    caps = clean.engine.caps()
    routes = {name: one["ipv4defaultroute"] for name, one in caps["networks"].items()}
    assert routes == {"red": False, "blue": True}
    assert {one["gateway"] for one in caps["networks"].values()} == {"10.1.0.1", "10.2.0.1"}
    assert caps["nameservers"] == ["10.2.0.1"]
    assert clean.peer.reaches("10.1.0.2")
    assert "nameserver 10.2.0.1" in clean.shell("cat /etc/resolv.conf").splitlines()
    clean.shell("cat /run/resolv.conf.before >/etc/resolv.conf")


def test_a_nic_that_somebody_else_configured_is_taken_into_a_bridge(
    clean: Site, report: Report
) -> None:
    clean.peer.vlan(0, "10.5.0.1/24")
    clean.shell(
        "ip addr add 10.5.0.2/24 dev eth1; ip addr add 10.5.7.2/24 dev eth1;"
        "ip route add default via 10.5.0.1 dev eth1 metric 77;"
        "ip route add 10.77.0.0/16 via 10.5.0.1 dev eth1"
    )
    mgmt = {"nic": "eth1", "ipaddr": "10.5.0.2", "netmask": MASK, "gateway": "10.5.0.1"}
    try:
        with clean.peer.watching("10.5.0.2") as watch:
            clean.setup({"ovirtmgmt": {**mgmt, "defaultRoute": True}})
        found = clean.kernel()
        assert found.global_addresses("ovirtmgmt") == {"10.5.0.2/24"}
        assert found.global_addresses("eth1") == set()
        assert found.routes_of("ovirtmgmt") == {("10.5.0.0/24", ""), ("default", "10.5.0.1")}
        assert found.routes_of("eth1") == set()
        assert (found.master("eth1"), found.hwaddr("ovirtmgmt")) == (
            "ovirtmgmt",
            found.hwaddr("eth1"),
        )
        report(f"an address moved from a NIC to its bridge: silent for {watch.silence:.2f} s")
    finally:
        clean.clear()
        clean.bare_nics()


# --- what is wrong ------------------------------------------------------------------------------

BOND0: Final = {"nics": ["eth1"], "options": "mode=1 miimon=100"}
RED: Final = {"bonding": "bond0", "vlan": 100, "ipaddr": "10.1.0.2", "netmask": MASK}
OTHER: Final = {"bonding": "bond0", "vlan": 200}

BAD: Final[list[tuple[dict[str, Any], dict[str, Any], int, str]]] = [
    ({"blue": {"bonding": "bond0", "vlan": 100}}, {}, 21, "networks.blue.bonding"),
    ({"blue": {"nic": "eth1"}}, {}, 24, "networks.blue.nic"),
    ({"blue": {"nic": "eth1", "vlan": 7}}, {}, 24, "networks.blue.nic"),
    ({}, {"bond1": {"nics": ["eth1", "eth2"]}}, 24, "bondings.bond1.nics"),
    ({}, {"bond1": {"nics": ["eth2"]}}, 24, "bondings.bond1.nics"),  # a VLAN of others is on it
    ({"blue": {"nic": "bond0.100"}}, {}, 23, "networks.blue.nic"),
    ({"blue": {"nic": "red"}}, {}, 23, "networks.blue.nic"),
    ({}, {"bond1": {"nics": ["bond0"]}}, 23, "bondings.bond1.nics"),
    ({"blue": {"bonding": "bond7", "vlan": 1}}, {}, 25, "networks.blue.bonding"),
    ({"bond0": {"bonding": "bond0", "vlan": 9}}, {}, 27, "networks.bond0"),
    ({"eth2": {"bonding": "bond0", "vlan": 9}}, {}, 27, "networks.eth2"),
    ({"blue": {**OTHER, "vlan": 4095}}, {}, 26, "networks.blue.vlan"),
    ({"blue": {"vlan": 5}}, {}, 26, "networks.blue.vlan"),
    ({"blue": {"bridged": False}}, {}, 21, "networks.blue"),
    ({"a" * 16: OTHER}, {}, 27, "networks."),
    ({"blu\te": OTHER}, {}, 27, "networks."),
    ({"blue": {**OTHER, "bootproto": "dhcp", "ipaddr": "10.2.0.2", "netmask": MASK}}, {}, 22, ""),
    ({"blue": {**OTHER, "gateway": "10.2.0.1"}}, {}, 22, "networks.blue.gateway"),
    ({"blue": {**OTHER, "ipaddr": "10.2.0.2", "netmask": MASK, "prefix": "24"}}, {}, 21, ""),
    ({"blue": {**OTHER, "nameservers": ["10.2.0.1"]}}, {}, 21, "networks.blue.nameservers"),
    ({"blue": {**OTHER, "ipaddr": "10.1.0.2", "netmask": MASK}}, {}, 22, "networks.blue.ipaddr"),
    ({"red": {**RED, "defaultRoute": True}, "blue": {**OTHER, "defaultRoute": True}}, {}, 21, ""),
    ({"blue": {**OTHER, "mtu": 70000}}, {}, 21, "networks.blue.mtu"),
    ({"blue": {**OTHER, "stp": "perhaps"}}, {}, 21, "networks.blue.stp"),
    ({"red": {"remove": True, "vlan": 100}}, {}, 21, "networks.red"),
    ({"blue": {"remove": True}}, {}, 27, "networks.blue"),
    ({}, {"bond0": {"remove": True}}, 31, "bondings.bond0"),
    ({}, {"bond0": {"nics": []}}, 21, "bondings.bond0.nics"),
    ({}, {"bond0": {**BOND0, "options": "mode=1 lacp_rate=1"}}, 25, "bondings.bond0.options"),
    ({}, {"bond0": {**BOND0, "options": "mode=1 primary=eth2"}}, 25, "bondings.bond0.options"),
    ({}, {"bond0": {**BOND0, "hwaddr": "ff:ff:ff:ff:ff:ff"}}, 21, "bondings.bond0.hwaddr"),
    ({}, {"mybond": BOND0}, 25, "bondings.mybond"),
]  # fmt: skip


@pytest.fixture(scope="module")
def occupied(site: Site) -> Iterator[Site]:
    """A bond with a network on it, and somebody else's VLAN on the other NIC."""
    site.setup({"red": RED}, {"bond0": BOND0})
    site.shell("ip link add link eth2 name eth2.77 type vlan id 77; ip link set eth2.77 up")
    yield site
    site.shell("ip link del eth2.77")
    site.clear()


def test_a_wrong_request_has_its_code_and_touches_nothing(occupied: Site) -> None:
    before, stored = occupied.kernel(), occupied.stored()
    files = occupied.shell("find /var/lib/vdsm -type f -exec sha256sum {} + | sort")
    wrong = []
    for networks, bondings, code, field in BAD:
        answer = occupied.engine.setup(networks, bondings)
        found = isinstance(answer, Refused) and (answer.code, answer.field.startswith(field))
        if found != (code, True):
            wrong.append((networks, bondings, code, field, answer))
    assert not wrong
    assert not occupied.kernel().unlike(before)
    assert occupied.stored() == stored
    assert occupied.shell("find /var/lib/vdsm -type f -exec sha256sum {} + | sort") == files
