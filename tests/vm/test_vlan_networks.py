# SPDX-License-Identifier: GPL-2.0-or-later
"""VLANs over a bond over two NICs, with bridges, addresses and routes; judged by iproute2 and by
who answers at the other end."""

from typing import Any

import pytest

from machines import Report
from vm.kernel import Kernel, source_table
from vm.site import Site

BOND = {"bond0": {"nics": ["eth1", "eth2"], "options": "mode=1 miimon=100"}}
# As an engine writes them: most of it is text.
RED = {
    "bonding": "bond0", "vlan": "100", "bridged": "true", "stp": "no", "mtu": 1500,
    "bootproto": "none", "defaultRoute": False,
    "ipaddr": "10.1.0.2", "netmask": "255.255.255.0", "gateway": "10.1.0.1",
    "ipv6addr": "2001:db8:1::2/64", "ipv6gateway": "::",
}  # fmt: skip
BLUE = {
    "bonding": "bond0", "vlan": 200, "bridged": True, "stp": "yes", "mtu": "9000",
    "ipaddr": "10.2.0.2", "prefix": "26", "ipv6addr": "2001:db8:2::2/64",
    "ipv6gateway": "2001:db8:2::1", "defaultRoute": "false",
    "custom": {"bridge_opts": "forward_delay=200 hello_time=300"},
}  # fmt: skip
GREEN = {
    "bonding": "bond0", "vlan": 300, "bridged": "false", "mtu": 1400,
    "ipaddr": "10.3.0.2", "netmask": "255.255.255.0",
}  # fmt: skip
FAR = {
    100: ("10.1.0.1/24", "2001:db8:1::1/64"),
    200: ("10.2.0.1/26", "2001:db8:2::1/64"),
    300: ("10.3.0.1/24",),
}
DEVICES = {"bond0", "bond0.100", "bond0.200", "bond0.300", "red", "blue"}


@pytest.fixture(scope="module")
def before(site: Site) -> Kernel:
    return site.kernel()


@pytest.fixture(scope="module")
def networks(site: Site, before: Kernel) -> Site:
    """Three networks over one bond, made by one call."""
    for number, addresses in FAR.items():
        site.peer.vlan(number, *addresses)
    site.setup({"red": RED, "blue": BLUE, "green": GREEN}, BOND)
    return site


def test_the_kernel_has_what_was_asked_for(networks: Site, before: Kernel) -> None:
    found = networks.kernel()
    assert found.links.keys() - before.links.keys() == DEVICES
    assert found.data("bond0")["mode"] == "active-backup"
    assert found.data("bond0")["miimon"] == 100
    assert {found.master(nic) for nic in ("eth1", "eth2")} == {"bond0"}
    for number, above, mtu in ((100, "red", 1500), (200, "blue", 9000), (300, "", 1400)):
        vlan = f"bond0.{number}"
        assert (found.kind(vlan), found.data(vlan)["id"]) == ("vlan", number)
        assert (found.lower(vlan), found.master(vlan)) == ("bond0", above)
        assert found.mtus(vlan, above or vlan) == [mtu, mtu]
    assert found.mtus("bond0", "eth1", "eth2") == [9000, 9000, 9000]
    assert found.data("red")["stp_state"] == 0
    blue = found.data("blue")
    assert (blue["stp_state"], blue["forward_delay"], blue["hello_time"]) == (1, 200, 300)
    assert all(found.is_up(name) for name in DEVICES | {"eth1", "eth2"})
    # One hardware address on the wire, the first NIC's.
    assert {found.hwaddr(name) for name in DEVICES} == {"52:54:00:12:34:01"}


def test_addresses_routes_and_rules(networks: Site) -> None:
    found = networks.kernel()
    addresses = {name: found.global_addresses(name) for name in sorted(DEVICES)}
    assert addresses == {
        "bond0": set(),
        "bond0.100": set(),
        "bond0.200": set(),
        "bond0.300": {"10.3.0.2/24"},
        "red": {"10.1.0.2/24", "2001:db8:1::2/64"},
        "blue": {"10.2.0.2/26", "2001:db8:2::2/64"},
    }
    # Without the default route a network with a gateway has a table of its own.
    assert found.routes_of("red") == {("10.1.0.0/24", ""), ("2001:db8:1::/64", "")}
    table = found.routes_of("red", source_table("red"))
    assert table == {("default", "10.1.0.1"), ("10.1.0.0/24", "")}
    rules = found.source_rules("red")
    assert rules == {("src", "10.1.0.0/24"), ("dst", "10.1.0.0/24")}
    assert found.source_rules("bond0.300") == set()


def test_the_other_end_answers_with_packets_as_large_as_the_network_s(networks: Site) -> None:
    for address, mtu in (
        ("10.1.0.2", 1500), ("2001:db8:1::2", 1500), ("10.2.0.2", 9000), ("2001:db8:2::2", 9000),
        ("10.3.0.2", 1400),
    ):  # fmt: skip
        assert networks.peer.reaches(address, mtu=mtu), address


def test_the_engine_reads_what_it_wrote(networks: Site) -> None:
    caps = networks.engine.caps()
    red, blue, green = (caps["networks"][name] for name in ("red", "blue", "green"))
    assert (red["iface"], red["southbound"], red["vlanid"]) == ("red", "bond0.100", 100)
    assert (red["bridged"], red["ports"], red["stp"]) == (True, ["bond0.100"], "off")
    assert (red["addr"], red["netmask"], red["mtu"]) == ("10.1.0.2", "255.255.255.0", "1500")
    assert (red["gateway"], red["ipv4defaultroute"]) == ("10.1.0.1", False)
    assert (red["ipv4addrs"], red["ipv6addrs"]) == (["10.1.0.2/24"], ["2001:db8:1::2/64"])
    assert (blue["stp"], blue["mtu"], blue["netmask"]) == ("on", "9000", "255.255.255.192")
    assert caps["bridges"]["blue"]["opts"]["forward_delay"] == "200"
    assert (green["iface"], green["bridged"], green["mtu"]) == ("bond0.300", False, "1400")
    vlans = {name: (one["iface"], one["vlanid"]) for name, one in caps["vlans"].items()}
    assert vlans == {f"bond0.{number}": ("bond0", number) for number in FAR}
    bond = caps["bondings"]["bond0"]
    assert (bond["slaves"], bond["mtu"]) == (["eth1", "eth2"], "9000")
    assert bond["opts"] == {"mode": "1", "miimon": "100"}
    assert caps["nics"]["eth2"]["permhwaddr"] == "52:54:00:12:34:02"
    assert caps["netConfigDirty"] == "True"


def test_a_second_time_the_same_is_no_change(networks: Site, report: Report) -> None:
    before = networks.kernel()
    with networks.peer.watching("10.1.0.2") as watch:
        networks.setup({"red": RED, "blue": BLUE, "green": GREEN}, BOND)
    assert not networks.kernel().unlike(before)
    report(f"the same networks again: an address was silent for {watch.silence:.2f} s")


def test_an_edit_moves_a_vlan_and_changes_mtus(networks: Site, report: Report) -> None:
    networks.peer.vlan(300)  # or two VLANs of it would have one subnet
    networks.peer.vlan(150, *FAR[300])
    with networks.peer.watching("10.1.0.2") as watch:
        edited: dict[str, Any] = {"green": {**GREEN, "vlan": 150}, "blue": {**BLUE, "mtu": 1450}}
        networks.setup(edited)
    found = networks.kernel()
    assert "bond0.300" not in found.links
    assert found.data("bond0.150")["id"] == 150
    assert found.global_addresses("bond0.150") == {"10.3.0.2/24"}
    assert found.mtus("bond0.200", "blue") == [1450, 1450]
    assert found.mtus("bond0", "eth1", "eth2", "red") == [1500] * 4
    for address, mtu in (("10.3.0.2", 1400), ("10.2.0.2", 1450), ("2001:db8:2::2", 1450)):
        assert networks.peer.reaches(address, mtu=mtu), address
    report(f"another VLAN moved: an address beside was silent for {watch.silence:.2f} s")


def test_removal_leaves_nothing_behind(networks: Site, before: Kernel) -> None:
    removed = {"remove": "true"}
    networks.setup({"red": removed, "green": removed})
    found = networks.kernel()
    assert found.links.keys() - before.links.keys() == {"bond0", "bond0.200", "blue"}
    assert networks.peer.reaches("10.2.0.2")
    assert networks.peer.lost("10.1.0.2")
    networks.setup({"blue": removed}, {"bond0": removed})
    assert not networks.kernel().unlike(before)
    assert networks.stored() == {"staging": [], "persistence": []}
