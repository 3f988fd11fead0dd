# SPDX-License-Identifier: GPL-2.0-or-later
"""What a configuration asks for, by example."""

import pytest
from msgspec.structs import replace

from supervdsm.network.config import Bond, Configuration, Network
from supervdsm.network.plan.state import (
    Address,
    Device,
    Dhcp,
    Ipv6,
    Route,
    Rule,
    State,
    source_table,
)
from supervdsm.network.plan.target import target
from unit.supervdsm.network.generators import hwaddr
from unit.supervdsm.network.plan.hosts import NOTHING, ON, change, host, networks, nic, reached
from vdsm_contract.types import DeviceQos, HostQos, QosClass, QosCurve

QOS = HostQos(out=QosClass(ls=QosCurve(m2=50)))
STATIC = Network(
    name="ovirtmgmt",
    nic="eth0",
    defaultRoute=True,
    ipaddr="192.0.2.10",
    netmask="255.255.255.0",
    gateway="192.0.2.1",
    nameservers=("192.0.2.53",),
)


def wanted(*configured: Network, current: State | None = None) -> State:
    """The target of these networks on a host without any."""
    return target(current or host(), NOTHING, networks(*configured))


def bonded(
    *configured: Network, options: str = "mode=4", hwaddr: str | None = None
) -> Configuration:
    """A bond of eth1 and eth2, and networks."""
    bond = Bond(name="bond0", nics=("eth1", "eth2"), options=options, hwaddr=hwaddr)
    return Configuration(networks={one.name: one for one in configured}, bonds={"bond0": bond})


# --- addresses and routes -----------------------------------------------------------------------


def test_a_bridged_network_has_its_address_on_the_bridge_and_none_on_its_port() -> None:
    there = wanted(STATIC)
    assert there.devices["ovirtmgmt"].addresses == (Address("192.0.2.10/24"),)
    assert there.devices["eth0"].addresses == ()
    assert there.devices["eth0"].master == "ovirtmgmt"


def test_a_network_without_a_bridge_has_its_address_on_its_vlan() -> None:
    there = wanted(
        Network(
            name="storage",
            nic="eth0",
            vlan=7,
            bridged=False,
            ipaddr="192.0.2.7",
            netmask="255.255.255.128",
        )
    )
    vlan = there.devices["eth0.7"]
    assert vlan.addresses == (Address("192.0.2.7/25"),)
    assert (vlan.lower, vlan.vlan, vlan.master) == ("eth0", 7, "")
    assert "storage" not in there.devices


def test_the_default_route_is_in_main_and_brings_the_name_servers() -> None:
    there = wanted(STATIC)
    default = Route(device="ovirtmgmt", destination="0.0.0.0/0", gateway="192.0.2.1")
    assert there.routes == {default}
    assert there.rules == frozenset()
    assert there.nameservers == ("192.0.2.53",)


def test_a_gateway_of_another_network_is_reached_by_source_routing() -> None:
    there = wanted(replace(STATIC, defaultRoute=False, nameservers=()))
    table = source_table("ovirtmgmt")
    assert there.routes == {
        Route(device="ovirtmgmt", destination="0.0.0.0/0", gateway="192.0.2.1", table=table),
        Route(device="ovirtmgmt", destination="192.0.2.0/24", table=table, link_scope=True),
    }
    assert there.rules == {
        Rule(table=table, source="192.0.2.0/24"),
        Rule(table=table, destination="192.0.2.0/24"),
    }
    assert there.nameservers is None


def test_a_gateway_outside_of_the_subnet_is_on_the_link_all_the_same() -> None:
    there = wanted(replace(STATIC, gateway="198.51.100.1"))
    assert {route.onlink for route in there.routes} == {True}


@pytest.mark.parametrize(
    ("gateway", "onlink"),
    [("2001:db8::1", False), ("fe80::1", False), ("2001:db8:1::1", True)],
)
def test_the_default_route_of_ipv6(gateway: str, onlink: bool) -> None:
    there = wanted(
        Network(
            name="ovirtmgmt",
            nic="eth0",
            defaultRoute=True,
            ipv6addr="2001:db8::2/64",
            ipv6gateway=gateway,
        )
    )
    assert there.routes == {
        Route(device="ovirtmgmt", destination="::/0", gateway=gateway, onlink=onlink)
    }
    assert there.devices["ovirtmgmt"].ipv6 == Ipv6(disabled=False, accept_ra=0, autoconf=False)


@pytest.mark.parametrize(("gateway", "default"), [("::", True), ("2001:db8::1", False)])
def test_no_route_of_ipv6_without_a_gateway_or_the_default_route(
    gateway: str, default: bool
) -> None:
    there = wanted(
        Network(
            name="ovirtmgmt",
            nic="eth0",
            defaultRoute=default,
            ipv6addr="2001:db8::2/64",
            ipv6gateway=gateway,
        )
    )
    assert there.routes == frozenset()


def test_a_dhcp_network_leaves_its_address_to_the_client() -> None:
    there = wanted(
        Network(name="ovirtmgmt", nic="eth0", bootproto="dhcp", dhcpv6=True, defaultRoute=True)
    )
    bridge = there.devices["ovirtmgmt"]
    assert there.dhcp == {"ovirtmgmt": Dhcp(ipv4=True, ipv6=True, default_route=True)}
    assert (bridge.addresses, bridge.dynamic) == ((), (4, 6))
    # DHCPv6 names no router.
    assert bridge.ipv6 == Ipv6(disabled=False, accept_ra=2, autoconf=False)


def test_only_the_default_route_network_takes_a_router_that_advertises_itself() -> None:
    there = wanted(
        Network(name="one", nic="eth0", ipv6autoconf=True, defaultRoute=True),
        Network(name="two", nic="eth1", ipv6autoconf=True),
    )
    learns = Ipv6(disabled=False, accept_ra=2, autoconf=True)
    assert there.devices["one"].ipv6 == learns
    assert there.devices["two"].ipv6 == Ipv6(
        disabled=False, accept_ra=2, autoconf=True, defrtr=False
    )
    assert there.dhcp == {}


def test_a_network_that_asks_for_no_ipv6_has_none_on_any_of_its_devices() -> None:
    there = wanted(Network(name="guests", nic="eth0", vlan=5))
    off = {name: device.ipv6 and device.ipv6.disabled for name, device in there.devices.items()}
    assert off == {"guests": True, "eth0.5": True, "eth0": None}


# --- bases --------------------------------------------------------------------------------------


def test_a_nic_has_the_largest_mtu_of_its_networks_and_of_foreign_vlans() -> None:
    foreign = Device(name="theirs", kind="vlan", up=True, mtu=4000, lower="eth0", vlan=99)
    there = wanted(
        Network(name="one", nic="eth0", vlan=5, mtu=2000),
        Network(name="two", nic="eth0", vlan=6, mtu=3000),
        current=host(foreign),
    )
    mtus = {name: device.mtu for name, device in there.devices.items()}
    assert mtus == {"one": 2000, "eth0.5": 2000, "two": 3000, "eth0.6": 3000, "eth0": 4000}


def test_the_nics_of_a_bond_have_its_mtu_and_no_addresses() -> None:
    there = target(host(), NOTHING, bonded(Network(name="big", bonding="bond0", mtu=9000)))
    for name in ("eth1", "eth2"):
        device = there.devices[name]
        assert (device.master, device.mtu, device.addresses) == ("bond0", 9000, ())


def test_a_nic_that_carries_only_vlans_keeps_its_own_addresses_and_routes() -> None:
    own = Route(device="eth0", destination="10.0.0.0/8", gateway="198.51.100.1")
    addressed = replace(nic("eth0"), addresses=(Address("198.51.100.2/24"),))
    current = replace(host(addressed), routes=frozenset({own}))
    there = wanted(Network(name="guests", nic="eth0", vlan=5), current=current)
    assert there.devices["eth0"].addresses is None
    assert there.routes == {own}


def test_a_nic_that_was_down_and_unused_takes_part_in_nothing() -> None:
    there = wanted(Network(name="guests", nic="eth0", vlan=5), current=host(nic("eth0", up=False)))
    assert there.devices["eth0"].ipv6 == Ipv6(disabled=True, accept_ra=0, autoconf=False)


def test_traffic_shaping_is_on_the_base_with_a_class_for_each_network() -> None:
    there = wanted(
        Network(name="one", nic="eth0", vlan=5, hostQos=QOS),
        Network(name="two", nic="eth0", hostQos=QOS),
        Network(name="three", nic="eth0", vlan=6),
    )
    assert there.devices["eth0"].qos == (
        DeviceQos(hostQos=QOS, vlan=-1),
        DeviceQos(hostQos=QOS, vlan=5),
    )
    assert there.devices["eth0.5"].qos is None


def test_a_bridge_has_the_hardware_address_of_what_carries_it() -> None:
    there = wanted(Network(name="one", nic="eth0"), Network(name="two", nic="eth1", vlan=5))
    assert there.devices["one"].hwaddr == hwaddr("eth0")
    assert there.devices["two"].hwaddr == hwaddr("eth1")


def test_bridge_options_are_those_named_and_stp() -> None:
    there = wanted(
        Network(name="one", nic="eth0", stp=True, custom={"bridge_opts": "forward_delay=400"})
    )
    assert there.devices["one"].options == {"stp_state": "1", "forward_delay": "400"}


# --- bonds --------------------------------------------------------------------------------------


def test_a_new_bond_has_the_hardware_address_of_its_first_nic_or_the_configured_one() -> None:
    over = Network(name="over", bonding="bond0")
    there = target(host(), NOTHING, bonded(over))
    assert there.devices["bond0"].hwaddr == there.devices["over"].hwaddr == hwaddr("eth1")
    there = target(host(), NOTHING, bonded(over, hwaddr="02:AA:00:00:00:01"))
    assert there.devices["bond0"].hwaddr == there.devices["over"].hwaddr == "02:aa:00:00:00:01"


def test_a_bond_whose_ports_keep_their_hardware_addresses_chooses_by_itself() -> None:
    options = "mode=1 fail_over_mac=active"
    over = Network(name="over", bonding="bond0")
    for asked in (None, "02:aa:00:00:00:01"):
        there = target(host(), NOTHING, bonded(over, options=options, hwaddr=asked))
        assert there.devices["bond0"].hwaddr is None
        assert there.devices["over"].hwaddr is None


def test_fail_over_mac_takes_no_hardware_address_from_a_bond_of_another_mode() -> None:
    asked = "02:aa:00:00:00:01"
    over = Network(name="over", bonding="bond0")
    there = target(host(), NOTHING, bonded(over, options="mode=4 fail_over_mac=1", hwaddr=asked))
    assert there.devices["bond0"].hwaddr == there.devices["over"].hwaddr == asked


def test_a_bond_parts_with_the_hardware_address_of_a_nic_that_leaves_it() -> None:
    kernel = reached(NOTHING)
    before = bonded(Network(name="over", bonding="bond0", vlan=5))
    change(kernel, NOTHING, before)
    after = Configuration(
        networks=before.networks,
        bonds={"bond0": Bond(name="bond0", nics=("eth2",), options="mode=4")},
    )
    change(kernel, before, after)
    links = kernel.links
    assert links["eth1"].hwaddr == hwaddr("eth1")
    assert {links[name].hwaddr for name in ("bond0", "bond0.5", "over")} == {hwaddr("eth2")}


def test_a_bond_keeps_its_hardware_address_when_a_new_mode_makes_it_let_go_of_its_ports() -> None:
    kernel = reached(NOTHING)
    before = Configuration(
        networks={"over": Network(name="over", bonding="bond0", vlan=5)},
        bonds={"bond0": Bond(name="bond0", nics=("eth2",), options="mode=4")},
    )
    change(kernel, NOTHING, before)
    after = Configuration(networks=before.networks, bonds=bonded(options="mode=1").bonds)
    change(kernel, before, after)
    links = kernel.links
    assert {links[name].hwaddr for name in ("bond0", "bond0.5", "over")} == {hwaddr("eth2")}


def test_options_of_a_bond_that_are_no_longer_named_go_back_to_their_defaults() -> None:
    before, after = bonded(options="mode=4 lacp_rate=fast"), bonded(options="mode=4")
    kernel = reached(NOTHING)
    change(kernel, NOTHING, before)
    assert kernel.links["bond0"].options["lacp_rate"] == "1"
    change(kernel, before, after)
    assert kernel.links["bond0"].options["lacp_rate"] == "0"


# --- what goes, and what is left out -------------------------------------------------------------


def test_what_no_network_needs_any_more_is_absent_and_its_nic_is_left_clean() -> None:
    running = networks(Network(name="one", nic="eth0", vlan=5, mtu=9000), STATIC)
    kernel = reached(running)
    there = target(kernel.read(), running, NOTHING)
    assert there.absent == {"one", "eth0.5", "ovirtmgmt"}
    left = there.devices["eth0"]
    assert (left.up, left.mtu, left.master, left.addresses, left.qos) == (True, 1500, "", (), ())
    assert there.routes == frozenset()


def test_a_vlan_that_a_network_takes_over_from_another_one_is_not_deleted() -> None:
    running = networks(Network(name="one", nic="eth0", vlan=5))
    kernel = reached(running)
    done = change(kernel, running, networks(Network(name="two", nic="eth0", vlan=5)))
    assert "delete one" in done
    assert "delete eth0.5" not in done
    assert kernel.links["eth0.5"].master == "two"


def test_a_network_can_have_the_name_of_a_bond_that_goes_and_the_other_way_round() -> None:
    bond = bonded()
    network = networks(Network(name="bond0", nic="eth0"))
    kernel = reached(NOTHING)
    for running, wanted, kind in ((NOTHING, bond, "bond"), (bond, network, "bridge")):
        change(kernel, running, wanted)
        assert kernel.links["bond0"].kind == kind
    there = target(kernel.read(), network, bond)
    assert there.absent == frozenset()
    change(kernel, network, bond)
    assert kernel.links["bond0"].kind == "bond"
    assert kernel.links["eth0"].master == ""


def test_a_bond_of_somebody_else_is_only_removed_when_asked_for() -> None:
    bond = Device(name="theirs", kind="bond", up=True, mtu=1500, options={"mode": "1"})
    port = replace(nic("eth1"), master="theirs", permanent_hwaddr=hwaddr("eth1"))
    current = host(bond, port)
    assert target(current, NOTHING, NOTHING) == State()
    there = target(current, NOTHING, Configuration(unwanted=frozenset({"theirs"})))
    assert there.absent == {"theirs"}
    assert there.devices["eth1"].master == ""


def test_unchanged_networks_are_left_out_but_for_what_they_share() -> None:
    one = Network(name="one", nic="eth0", vlan=5, mtu=9000, hostQos=QOS)
    two = Network(name="two", nic="eth0", vlan=6)
    running = networks(one, two)
    current = reached(running).read()
    there = target(current, running, networks(one, replace(two, mtu=1400)))
    assert there.devices.keys() == {"eth0", "eth0.6", "two"}
    assert there.devices["eth0"].mtu == 9000
    assert there.devices["eth0"].qos == (DeviceQos(hostQos=QOS, vlan=5),)


def test_all_networks_on_a_bond_that_changes_are_in_the_target() -> None:
    over = Network(name="over", bonding="bond0", vlan=5)
    before, after = bonded(over, options="mode=4"), bonded(over, options="mode=1 miimon=100")
    kernel = reached(NOTHING)
    change(kernel, NOTHING, before)
    there = target(kernel.read(), before, after)
    assert there.devices.keys() == {"bond0", "eth1", "eth2", "over", "bond0.5"}


def test_guests_on_a_bridge_that_goes_can_be_brought_back() -> None:
    running = networks(Network(name="one", nic="eth0", vlan=5))
    tap = Device(name="vnet0", kind="other", up=True, mtu=1500, hwaddr="fe:00:00:00:00:01", ipv6=ON)
    kernel = reached(running, tap)
    kernel.links["vnet0"].master = "one"
    before = kernel.read()
    there = target(before, running, NOTHING)
    assert there.devices["vnet0"].master == ""
    change(kernel, running, NOTHING)
    assert kernel.links["vnet0"].master == ""
    back = before.restricted(there.devices.keys() | there.absent)
    assert back.devices["vnet0"].master == "one"


def test_a_foreign_vlan_on_a_bond_that_changes_is_to_be_as_it_was() -> None:
    before, after = bonded(options="mode=4"), bonded(options="mode=1 miimon=100")
    kernel = reached(NOTHING)
    change(kernel, NOTHING, before)
    theirs = Device(
        name="theirs",
        kind="vlan",
        up=True,
        mtu=1400,
        lower="bond0",
        vlan=9,
        addresses=(Address("198.51.100.9/24"),),
        ipv6=ON,
    )
    route = Route(device="theirs", destination="10.0.0.0/8", gateway="198.51.100.1")
    current = kernel.read()
    current = replace(
        current,
        devices=current.devices | {"theirs": theirs},
        routes=current.routes | {route},
    )
    there = target(current, before, after)
    assert there.devices["theirs"] == theirs
    assert route in there.routes


def test_a_named_network_is_in_the_target_even_if_it_is_unchanged() -> None:
    running = networks(Network(name="one", nic="eth0"), Network(name="two", nic="eth1"))
    current = reached(running).read()
    assert target(current, running, running) == State()
    there = target(current, running, running, named=("two", "unheard-of"))
    assert there.devices.keys() == {"two", "eth1"}
