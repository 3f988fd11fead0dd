# SPDX-License-Identifier: GPL-2.0-or-later
"""Attributes as oVirt's vdsm wrote them in its versions, and our own back and forth."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervdsm.network.config import Bond, Device, Network
from supervdsm.network.transaction import attributes

names = st.from_regex(r"[a-z][a-z0-9]{0,14}", fullmatch=True)
networks = st.builds(
    Network,
    name=names,
    nic=st.none() | names,
    vlan=st.none() | st.integers(0, 4094),
    bridged=st.booleans(),
    mtu=st.integers(68, 65535),
    defaultRoute=st.booleans(),
    bootproto=st.sampled_from(["none", "dhcp"]),
    nameservers=st.lists(st.ip_addresses().map(str)).map(tuple),
    custom=st.none() | st.dictionaries(st.text(), st.text()),
)


def stored(attributes: object) -> object:
    decoded: object = msgspec.json.decode(msgspec.json.encode(attributes))
    return decoded


@given(networks)
def test_a_network_is_what_it_was(network: Network) -> None:
    found = stored(attributes.of_network(network))
    assert attributes.network(network.name, found) == network


def test_a_bond_is_what_it_was() -> None:
    bond = Bond(name="bond0", nics=("eth0", "eth1"), options="mode=1", hwaddr="02:00:00:00:00:01")
    assert attributes.bond("bond0", stored(attributes.of_bond(bond))) == bond


def test_a_device_is_what_it_was() -> None:
    device = Device(name="eth0", numvfs=7)
    assert attributes.of_device(device) == {"sriov": {"numvfs": 7}}
    assert attributes.device("eth0", stored(attributes.of_device(device))) == device


@pytest.mark.parametrize(
    ("written", "network"),
    [
        ({}, Network(name="n")),
        ({"vlan": "100", "mtu": "9000", "bridged": "true"}, Network(name="n", vlan=100, mtu=9000)),
        ({"vlan": ""}, Network(name="n")),
        ({"vlan": None, "nic": None}, Network(name="n")),
        ({"nic": "eth0", "bonding": "bond0"}, Network(name="n", nic="eth0")),
        ({"blockingdhcp": True, "name": "other", "?": {}}, Network(name="n")),
        (
            {"custom": {"default_route": True, "bridge_opts": "a=1"}},
            Network(name="n", custom={"bridge_opts": "a=1"}),
        ),
    ],
)
def test_what_other_versions_wrote(written: object, network: Network) -> None:
    assert attributes.network("n", written) == network


@pytest.mark.parametrize("written", [None, [], "text", {"vlan": "x"}, {"custom": 1}, {1: 2}])
def test_what_is_no_network(written: object) -> None:
    with pytest.raises(ValueError):
        attributes.network("n", written)
