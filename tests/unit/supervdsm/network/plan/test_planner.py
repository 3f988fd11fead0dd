# SPDX-License-Identifier: GPL-2.0-or-later
"""The order of the steps, by example: what an operator reads in `vdsm-tool net plan`."""

import pytest
from msgspec.structs import replace

from supervdsm.network.config import Bond, Configuration, Network
from supervdsm.network.plan.feasible import unreachable
from supervdsm.network.plan.planner import plan
from supervdsm.network.plan.state import Address, Device, Dhcp, Route, State, source_table
from supervdsm.network.plan.target import target
from unit.supervdsm.network.generators import hwaddr
from unit.supervdsm.network.plan.hosts import NOTHING, change, host, networks, nic, reached, steps
from unit.supervdsm.network.plan.simulator import Kernel

STATIC = Network(
    name="ovirtmgmt",
    nic="eth0",
    defaultRoute=True,
    ipaddr="192.0.2.10",
    netmask="255.255.255.0",
    gateway="192.0.2.1",
)
DHCP = Network(name="ovirtmgmt", nic="eth0", defaultRoute=True, bootproto="dhcp")


def bonded(
    options: str, *configured: Network, nics: tuple[str, ...] = ("eth1", "eth2")
) -> Configuration:
    bond = Bond(name="bond0", nics=nics, options=options)
    return Configuration(networks={one.name: one for one in configured}, bonds={"bond0": bond})


def in_order(found: list[str], *wanted: str) -> bool:
    """Tell whether these steps are among the ones found, in this order."""
    rest = iter(found)
    return all(step in rest for step in wanted)


def test_a_network_of_each_kind() -> None:
    wanted = bonded(
        "mode=4",
        STATIC,
        Network(name="guests", bonding="bond0", vlan=5, mtu=9000),
    )
    assert steps(host(), NOTHING, wanted) == [
        "create bond bond0",
        "set eth1 down",
        "set eth2 down",
        "make eth1 a port of bond0",
        "make eth2 a port of bond0",
        "create bridge guests",
        "create bridge ovirtmgmt",
        "create VLAN bond0.5 on bond0 with id 5 as port of guests",
        "make eth0 a port of ovirtmgmt",
        "turn IPv6 off on bond0",
        "turn IPv6 off on eth0",
        "turn IPv6 off on bond0.5",
        "turn IPv6 off on guests",
        "turn IPv6 off on ovirtmgmt",
        "set bond0 up",  # and with it its VLAN
        "set ovirtmgmt up",
        "set guests up",
        "add address 192.0.2.10/24 to ovirtmgmt",
        "add route 0.0.0.0/0 via 192.0.2.1 on ovirtmgmt",
    ]


def test_of_a_network_that_goes_only_its_base_is_left() -> None:
    running = networks(STATIC, Network(name="guests", nic="eth0", vlan=5, mtu=9000))
    assert steps(reached(running).read(), running, NOTHING) == [
        "delete guests",
        "delete eth0.5",
        "delete ovirtmgmt",
        "set MTU of eth0 to 1500",
    ]


def test_devices_are_deleted_uppers_first_and_in_one_go() -> None:
    running = bonded("mode=4", *(Network(name=f"n{i}", bonding="bond0", vlan=i) for i in (5, 6)))
    found = steps(reached(running).read(), running, NOTHING)
    deletions = [number for number, step in enumerate(found) if step.startswith("delete")]
    assert deletions == list(range(deletions[0], deletions[0] + 5))
    assert in_order(
        found, "delete n5", "delete n6", "delete bond0.5", "delete bond0.6", "delete bond0"
    )


def test_mtus_are_raised_from_the_bottom_and_lowered_from_the_top() -> None:
    small = Network(name="guests", bonding="bond0", vlan=5)
    large = replace_mtu(small, 9000)
    low, high = bonded("mode=4", small), bonded("mode=4", large)
    down = [
        "set MTU of guests to 1500",
        "set MTU of bond0.5 to 1500",
        "set MTU of bond0 to 1500",
    ]
    up = [step.replace("1500", "9000") for step in reversed(down)]
    assert steps(reached(low).read(), low, high) == up
    assert steps(reached(high).read(), high, low) == down


def replace_mtu(network: Network, mtu: int) -> Network:
    return replace(network, mtu=mtu)


def test_the_default_route_leaves_one_network_before_the_other_one_has_it() -> None:
    other = Network(
        name="other",
        nic="eth1",
        ipaddr="198.51.100.2",
        netmask="255.255.255.0",
        gateway="198.51.100.1",
    )
    running = networks(STATIC, other)
    wanted = networks(replace(STATIC, defaultRoute=False), replace(other, defaultRoute=True))
    here, there = source_table("ovirtmgmt"), source_table("other")
    found = steps(reached(running).read(), running, wanted)
    assert in_order(
        found,
        f"remove rule from 198.51.100.0/24 to table {there}",
        "remove route 0.0.0.0/0 via 192.0.2.1 on ovirtmgmt",
        "add route 0.0.0.0/0 via 198.51.100.1 on other",
    )
    assert in_order(
        found,
        f"add route 192.0.2.0/24 on ovirtmgmt in table {here}",
        f"add route 0.0.0.0/0 via 192.0.2.1 on ovirtmgmt in table {here}",
        f"add rule from 192.0.2.0/24 to table {here}",
    )
    assert not [step for step in found if "address" in step]


def test_a_bond_gives_its_ports_back_before_its_mode_changes() -> None:
    over = Network(name="over", bonding="bond0", vlan=5, bridged=False, mtu=9000)
    before, after = bonded("mode=4", over), bonded("mode=1 miimon=100", over)
    found = steps(reached(before).read(), before, after)
    changed = next(step for step in found if step.startswith("set bond options"))
    assert changed.startswith("set bond options of bond0: mode=1 miimon=100")
    assert in_order(
        found,
        "release eth1 from its bridge or bond",
        "release eth2 from its bridge or bond",
        "set bond0 down",
        changed,
        "make eth1 a port of bond0",
        "make eth2 a port of bond0",
        "set bond0 up",
    )
    # The VLAN comes up with the bond, and the ports with their enslaving.
    assert not [step for step in found if step in {"set bond0.5 up", "set eth1 up"}]


def test_a_bond_option_that_can_be_set_any_time_is_just_set() -> None:
    before, after = bonded("mode=4"), bonded("mode=4 xmit_hash_policy=1")
    assert steps(reached(before).read(), before, after) == [
        "set bond options of bond0: xmit_hash_policy=1"
    ]


def test_what_a_bond_lost_while_it_was_down_comes_back() -> None:
    over = Network(
        name="over",
        bonding="bond0",
        vlan=5,
        bridged=False,
        ipaddr="192.0.2.5",
        netmask="255.255.255.0",
        gateway="192.0.2.1",
        ipv6addr="2001:db8::5/64",
    )
    before, after = bonded("mode=4", over), bonded("mode=4 lacp_rate=fast", over)
    found = steps(reached(before).read(), before, after)
    table = source_table("bond0.5")
    assert in_order(
        found,
        "set bond0 down",
        "set bond options of bond0: lacp_rate=1",
        "set bond0 up",
        "add address 2001:db8::5/64 to bond0.5",
        f"add route 192.0.2.0/24 on bond0.5 in table {table}",
        f"add route 0.0.0.0/0 via 192.0.2.1 on bond0.5 in table {table}",
    )
    assert "add address 192.0.2.5/24 to bond0.5" not in found


def test_a_dhcp_client_stops_before_and_starts_after_its_device_moves() -> None:
    running = networks(DHCP)
    found = steps(reached(running).read(), running, networks(replace(DHCP, nic="eth1")))
    assert found[0] == "stop DHCP on ovirtmgmt"
    assert found[-1] == "start DHCPv4 on ovirtmgmt"


def test_a_dhcp_client_with_another_wish_is_told_so_and_not_stopped() -> None:
    running = networks(DHCP)
    wanted = networks(replace(DHCP, defaultRoute=False))
    assert steps(reached(running).read(), running, wanted) == ["start DHCPv4 on ovirtmgmt"]


def test_an_address_that_becomes_static_is_no_lease_any_more() -> None:
    running = networks(DHCP)
    kernel = reached(running)
    (lease,) = kernel.links["ovirtmgmt"].addresses4
    leased = lease.cidr.partition("/")[0]
    wanted = networks(replace(DHCP, bootproto="none", ipaddr=leased, netmask="255.255.255.0"))
    found = change(kernel, running, wanted)
    assert in_order(
        found,
        "stop DHCP on ovirtmgmt",
        f"remove address {lease.cidr} from ovirtmgmt",
        f"add address {lease.cidr} to ovirtmgmt",
    )
    assert kernel.links["ovirtmgmt"].addresses4 == [Address(lease.cidr)]


def test_a_lease_for_ever_is_not_taken_for_a_static_address() -> None:
    running = networks(DHCP)
    kernel = reached(running)
    bridge = kernel.links["ovirtmgmt"]
    bridge.addresses4 = [Address(one.cidr) for one in bridge.addresses4]
    assert steps(kernel.read(), running, networks(replace(DHCP, stp=True))) == [
        "set bridge options of ovirtmgmt: stp_state=1"
    ]


def test_a_bridge_whose_port_is_larger_keeps_the_mtu_of_its_network() -> None:
    wanted = networks(
        Network(name="small", nic="eth0"), Network(name="large", nic="eth0", vlan=5, mtu=9000)
    )
    kernel = reached(wanted)
    assert kernel.links["small"].mtu == 1500
    assert kernel.links["eth0"].mtu == 9000


def test_a_vlan_with_another_id_under_the_same_name_is_made_anew() -> None:
    other = Device(name="eth0.5", kind="vlan", up=True, mtu=1500, lower="eth1", vlan=6)
    found = steps(host(other), NOTHING, networks(Network(name="net", nic="eth0", vlan=5)))
    assert in_order(
        found,
        "delete eth0.5",
        "create VLAN eth0.5 on eth0 with id 5 as port of net",
    )


def test_the_primary_address_is_added_first() -> None:
    device = replace(nic("eth0"), addresses=(Address("192.0.2.3/24"), Address("192.0.2.2/24")))
    wanted = replace(nic("eth0"), addresses=(Address("192.0.2.2/24"), Address("192.0.2.3/24")))
    found = plan(host(device), State(devices={"eth0": wanted}))
    assert [str(one) for one in found] == [
        "remove address 192.0.2.2/24 from eth0",
        "remove address 192.0.2.3/24 from eth0",
        "add address 192.0.2.2/24 to eth0",
        "add address 192.0.2.3/24 to eth0",
    ]


def test_routes_that_go_with_the_last_address_are_added_again() -> None:
    static = Route(device="eth0", destination="10.0.0.0/8", gateway="192.0.2.1")
    device = replace(nic("eth0"), addresses=(Address("192.0.2.3/24"),))
    wanted = replace(nic("eth0"), addresses=(Address("192.0.2.2/24"),))
    current = replace(host(device), routes=frozenset({static}))
    found = plan(current, State(devices={"eth0": wanted}, routes=frozenset({static})))
    assert str(found[-1]) == "add route 10.0.0.0/8 via 192.0.2.1 on eth0"


def test_a_nic_goes_down_for_a_new_hardware_address() -> None:
    wanted = replace(nic("eth0"), hwaddr="02:00:00:00:00:99")
    found = plan(host(), State(devices={"eth0": wanted}))
    assert [str(one) for one in found] == [
        "set eth0 down",
        "set hardware address of eth0 to 02:00:00:00:00:99",
        "set eth0 up",
    ]


def test_a_nic_that_is_gone_is_named_and_the_rest_is_done() -> None:
    wanted = networks(Network(name="net", nic="eth9", vlan=5), Network(name="other", nic="eth1"))
    there = target(host(), NOTHING, wanted)
    assert unreachable(host(), there) == {"eth9", "eth9.5"}
    found = [str(one) for one in plan(host(), there)]
    assert "create bridge net" in found
    assert "make eth1 a port of other" in found
    assert not [step for step in found if "eth9" in step]


def test_a_nic_is_never_deleted_nor_replaced() -> None:
    assert plan(host(), State(absent=frozenset({"eth0"}))) == []
    bridge = State(devices={"eth0": Device(name="eth0", kind="bridge", up=True)})
    assert plan(host(), bridge) == []
    assert unreachable(host(), bridge) == {"eth0"}


def test_a_client_of_a_device_that_is_gone_is_stopped() -> None:
    current = replace(host(), dhcp={"gone": Dhcp(ipv4=True, ipv6=False, default_route=False)})
    found = plan(current, State(absent=frozenset({"gone"})))
    assert [str(one) for one in found] == ["stop DHCP on gone"]


def test_without_ipv6_in_the_kernel_nothing_is_asked_of_it() -> None:
    devices = {name: replace(one, ipv6=None) for name, one in host().devices.items()}
    found = steps(State(devices=devices), NOTHING, networks(Network(name="net", nic="eth0")))
    assert not [step for step in found if "IPv6" in step]


def test_a_released_port_gets_its_own_hardware_address_without_being_told() -> None:
    running = bonded("mode=4")
    kernel = reached(running)
    found = change(kernel, running, NOTHING)
    assert kernel.links["eth2"].hwaddr == hwaddr("eth2")
    assert not [step for step in found if "hardware" in step]


FAIL_OVER_MAC = "mode=active-backup miimon=100 fail_over_mac=active"


def back_without_a_nic(running: Configuration, wanted: Configuration, gone: str) -> Kernel:
    """Change a configuration, pull out a NIC, go back in one round."""
    kernel = reached(running)
    current = kernel.read()
    there = target(current, running, wanted)
    for operation in plan(current, there):
        kernel.apply(operation)
    kernel.unplug(gone)
    back = current.restricted(there.devices.keys() | there.absent)
    for operation in plan(kernel.read(), back):
        kernel.apply(operation)
    assert plan(kernel.read(), back) == []
    return kernel


@pytest.mark.parametrize("nics", [("eth1",), ("eth1", "eth2")])
def test_with_fail_over_mac_a_vlan_that_comes_back_has_its_bonds_hardware_address(
    nics: tuple[str, ...],
) -> None:
    over = Network(name="over", bonding="bond0", vlan=5, bridged=False)
    links = back_without_a_nic(bonded(FAIL_OVER_MAC, over, nics=nics), NOTHING, "eth1").links
    assert links["bond0.5"].hwaddr == links["bond0"].hwaddr != hwaddr("eth1")
    # It follows the bond on.
    assert not links["bond0.5"].hwaddr_set


def test_with_fail_over_mac_a_bridge_that_lost_its_port_comes_back_with_its_hardware_address() -> (
    None
):
    running = bonded(FAIL_OVER_MAC, Network(name="over", bonding="bond0", vlan=5))
    moved = networks(Network(name="over", nic="eth3"))
    assert back_without_a_nic(running, moved, "eth1").links["over"].hwaddr == hwaddr("eth1")


def test_a_bridge_that_may_follow_its_new_port_is_told_its_hardware_address() -> None:
    # Nothing shows whether somebody gave this one an address of its own.
    bridge = Device(name="br", kind="bridge", up=True, mtu=1500, hwaddr=hwaddr("eth0"), options={})
    port = replace(nic("eth0"), master="br")
    current = host(port, bridge)
    wanted = {"br": bridge, "eth0": nic("eth0"), "eth1": replace(nic("eth1"), master="br")}
    assert in_order(
        [str(one) for one in plan(current, State(devices=wanted))],
        "release eth0 from its bridge or bond",
        "make eth1 a port of br",
        f"set hardware address of br to {hwaddr('eth0')}",
    )
    # Whichever way it is: this port has the same.
    again = plan(host(bridge), State(devices={"br": bridge, "eth0": port}))
    assert not [str(one) for one in again if "hardware" in str(one)]
