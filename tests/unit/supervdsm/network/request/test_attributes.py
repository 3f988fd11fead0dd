# SPDX-License-Identifier: GPL-2.0-or-later
"""Stored configurations: canonical attributes, ours and upstream's."""

import pytest

from supervdsm.network.config import Bond, Device, Network
from supervdsm.network.request.attributes import (
    attributes,
    bond_attributes,
    bond_of,
    device_attributes,
    device_of,
    network_of,
)
from vdsm_contract.errors import NetworkConfigError
from vdsm_contract.types import HostQos, QosClass, QosCurve

FULL = Network(
    name="ovirtmgmt",
    bonding="bond0",
    vlan=100,
    mtu=9000,
    stp=True,
    defaultRoute=True,
    ipaddr="192.0.2.1",
    netmask="255.255.255.0",
    gateway="192.0.2.254",
    ipv6addr="2001:db8::1/64",
    ipv6gateway="fe80::1",
    nameservers=("192.0.2.53", "2001:db8::53"),
    hostQos=HostQos(out=QosClass(ls=QosCurve(m2=50), ul=QosCurve(m1=8, d=1, m2=16))),
    custom={"bridge_opts": "multicast_snooping=0"},
)


def test_attributes_are_upstreams() -> None:
    assert attributes(FULL) == {
        "bonding": "bond0",
        "vlan": 100,
        "bridged": True,
        "mtu": 9000,
        "stp": True,
        "switch": "legacy",
        "defaultRoute": True,
        "bootproto": "none",
        "ipaddr": "192.0.2.1",
        "netmask": "255.255.255.0",
        "gateway": "192.0.2.254",
        "ipv6addr": "2001:db8::1/64",
        "ipv6gateway": "fe80::1",
        "dhcpv6": False,
        "ipv6autoconf": False,
        "nameservers": ["192.0.2.53", "2001:db8::53"],
        "hostQos": {"out": {"ls": {"m2": 50}, "ul": {"m1": 8, "d": 1, "m2": 16}}},
        "custom": {"bridge_opts": "multicast_snooping=0"},
    }


def test_a_network_without_a_bridge_has_no_stp() -> None:
    assert "stp" not in attributes(Network(name="n", nic="eth0", bridged=False))


@pytest.mark.parametrize("network", [FULL, Network(name="n"), Network(name="n", bridged=False)])
def test_a_network_comes_back(network: Network) -> None:
    assert network_of(network.name, attributes(network)) == (network, ())


def test_a_bond_comes_back() -> None:
    bond = Bond(name="bond0", nics=("eth0", "eth1"), options="mode=4 miimon=100", hwaddr="02::")
    found = bond_attributes(bond)
    assert found == {
        "nics": ["eth0", "eth1"],
        "options": "mode=4 miimon=100",
        "hwaddr": "02::",
        "switch": "legacy",
    }
    assert bond_of("bond0", found) == (bond, ())


def test_a_device_comes_back() -> None:
    device = Device(name="eth0", numvfs=3)
    assert device_attributes(device) == {"sriov": {"numvfs": 3}}
    assert device_of("eth0", device_attributes(device)) == (device, ())


def test_what_is_unknown_in_a_file_is_told_and_left_out() -> None:
    raw = {"nic": "eth0", "delay": 15, "blockingdhcp": True, "bridged": "false", "mtu": "1450"}
    assert network_of("n", raw) == (
        Network(name="n", nic="eth0", bridged=False, mtu=1450),
        ("delay",),
    )


def test_bond_options_of_upstream_are_read_by_name_and_number() -> None:
    raw = {"nics": ["eth1", "eth0"], "options": "mode=802.3ad miimon=150", "onboot": "yes"}
    assert bond_of("bond0", raw) == (
        Bond(name="bond0", nics=("eth0", "eth1"), options="mode=4 miimon=150"),
        ("onboot",),
    )


def test_bond_options_that_the_kernel_would_refuse_are_told_and_left_out() -> None:
    raw = {"nics": ["eth0"], "options": "mode=4 bogus=1 lacp_rate=fast arp_interval=1 junk"}
    bond, unknown = bond_of("bond0", raw)
    assert bond.options == "mode=4 lacp_rate=1"
    assert set(unknown) == {"options.bogus", "options.arp_interval", "options.junk"}


def test_bridge_options_that_cannot_be_set_are_told_and_left_out() -> None:
    custom = {"bridge_opts": "gc_timer=3765 forward_delay=1500 junk hash_elasticity=4", "x": "y"}
    assert network_of("n", {"custom": custom}) == (
        Network(name="n", custom={"bridge_opts": "forward_delay=1500", "x": "y"}),
        ("custom.bridge_opts.gc_timer=3765", "custom.bridge_opts.junk"),
    )


@pytest.mark.parametrize("raw", [None, [], "x", {"nic": 5}, {"vlan": "x"}, {"switch": "ovs"}])
def test_a_file_of_no_use_is_refused_with_its_field(raw: object) -> None:
    with pytest.raises(NetworkConfigError) as caught:
        network_of("n", raw)
    assert caught.value.field.startswith("nets.n")


@pytest.mark.parametrize("raw", [None, {}, {"sriov": {}}, {"sriov": {"numvfs": -1}}])
def test_a_device_without_a_number_is_refused(raw: object) -> None:
    with pytest.raises(NetworkConfigError):
        device_of("eth0", raw)
