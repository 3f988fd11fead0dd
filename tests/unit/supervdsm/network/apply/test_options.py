# SPDX-License-Identifier: GPL-2.0-or-later
"""Options of bonds and bridges as bytes, read by pyroute2's parser."""

import struct
from typing import Any

import pytest

from supervdsm.network import bonding, bridging
from supervdsm.network.apply import messages, options
from unit.supervdsm.network.apply.oracle import meaning

BRIDGE = {
    "forward_delay": "1500",
    "stp_state": "1",
    "priority": "0x8000",
    "vlan_protocol": "0x88a8",
    "group_fwd_mask": "0x8",
    "group_addr": "01:80:c2:00:00:03",
    "multicast_querier_interval": "25500",
    "multicast_snooping": "0",
}
BOND = {
    "mode": "4",
    "miimon": "100",
    "lacp_rate": "1",
    "ad_actor_system": "52:54:00:12:34:56",
    "ad_user_port_key": "1023",
}


def no_index(name: str) -> int:
    raise AssertionError(name)


def data(kind: str, packed: bytes) -> dict[str, Any]:
    """Return the options that pyroute2 finds in a request with them."""
    request = messages.set_data("x", kind, packed)
    found: dict[str, Any] = meaning(request)["attrs"]["IFLA_LINKINFO"]["IFLA_INFO_DATA"]
    return found


def test_options_of_a_bridge_arrive_as_their_numbers() -> None:
    packed = options.pack("bridge", BRIDGE, no_index)
    assert packed.files == {}
    assert data("bridge", packed.data) == {
        "IFLA_BR_FORWARD_DELAY": 1500,
        "IFLA_BR_STP_STATE": 1,
        "IFLA_BR_PRIORITY": 0x8000,
        "IFLA_BR_VLAN_PROTOCOL": 0x88A8,
        "IFLA_BR_GROUP_FWD_MASK": 8,
        "IFLA_BR_GROUP_ADDR": "01:80:c2:00:00:03",
        "IFLA_BR_MCAST_QUERIER_INTVL": 25500,
        "IFLA_BR_MCAST_SNOOPING": 0,
    }


def test_options_of_a_bond_arrive_as_their_numbers() -> None:
    packed = options.pack("bond", BOND, no_index)
    assert packed.files == {}
    assert data("bond", packed.data) == {
        "IFLA_BOND_MODE": 4,
        "IFLA_BOND_MIIMON": 100,
        "IFLA_BOND_AD_LACP_RATE": 1,
        "IFLA_BOND_AD_ACTOR_SYSTEM": "52:54:00:12:34:56",
        "IFLA_BOND_AD_USER_PORT_KEY": 1023,
    }


def test_a_primary_port_goes_by_its_index_and_none_by_zero() -> None:
    named = options.pack("bond", {"primary": "eth1"}, {"eth1": 7}.__getitem__)
    assert data("bond", named.data) == {"IFLA_BOND_PRIMARY": 7}
    assert data("bond", options.pack("bond", {"primary": ""}, no_index).data) == {
        "IFLA_BOND_PRIMARY": 0
    }


def test_targets_of_arp_are_counted_from_0_and_none_are_an_empty_list() -> None:
    two = options.pack("bond", {"arp_ip_target": "192.0.2.1,192.0.2.2"}, no_index).data
    header = struct.pack("=HH", 4 + 8 + 8, 8 | 0x8000)
    first = struct.pack("=HH4B", 8, 0, 192, 0, 2, 1)
    second = struct.pack("=HH4B", 8, 1, 192, 0, 2, 2)
    assert two == header + first + second
    none = options.pack("bond", {"arp_ip_target": ""}, no_index).data
    assert none == struct.pack("=HH", 4, 8 | 0x8000)


@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [
        ("bridge", "no_linklocal_learn", "1"),
        ("bridge", "forward_delay", "010"),
        ("bridge", "multicast_router", "4294967296"),
        ("bridge", "group_addr", "01:80:c2"),
        ("bond", "active_slave", "eth1"),
        ("bond", "xmit_hash_policy", "layer2"),
        ("bond", "arp_ip_target", "+192.0.2.1"),
    ],
)
def test_what_netlink_has_no_attribute_or_spelling_for_goes_by_sysfs(
    kind: str, name: str, value: str
) -> None:
    assert options.pack(kind, {name: value}, no_index) == (b"", {name: value})


@pytest.mark.parametrize("name", bridging.OPTIONS)
def test_an_option_of_a_bridge_is_the_attribute_that_pyroute2_knows_by_a_like_name(
    name: str,
) -> None:
    value = "01:80:c2:00:00:03" if bridging.OPTIONS[name].type is bridging.Type.MAC else "1"
    (attribute,) = data("bridge", options.pack("bridge", {name: value}, no_index).data)
    if attribute != UNKNOWN:
        assert likeness(attribute.removeprefix("IFLA_BR_")) == likeness(name)


@pytest.mark.parametrize("name", bonding.OPTIONS)
def test_an_option_of_a_bond_is_the_attribute_that_pyroute2_knows_by_a_like_name(name: str) -> None:
    values = {
        bonding.Type.MAC: "52:54:00:12:34:56",
        bonding.Type.PORT: "",
        bonding.Type.IPV4_LIST: "192.0.2.1",
        bonding.Type.IPV6_LIST: "2001:db8::1",
    }
    value = values.get(bonding.OPTIONS[name].type, "1")
    (attribute,) = data("bond", options.pack("bond", {name: value}, no_index).data)
    if attribute != UNKNOWN:
        assert likeness(attribute.removeprefix("IFLA_BOND_")) == likeness(name)


UNKNOWN = "UNKNOWN"
"""What pyroute2 calls an attribute that is newer than it."""
SYNONYMS = {"mcast": "multicast", "intvl": "interval", "cnt": "count"}
"""Of words in the names of attributes."""


def likeness(name: str) -> frozenset[str]:
    """Return the words of a name, but for those that only one of the two spellings has."""
    name = name.lower().replace("num_peer_notif", "num_grat_arp")
    words = {SYNONYMS.get(word, word) for word in name.split("_")}
    return frozenset(words - {"multicast", "vlan", "ad", "tlb"})
