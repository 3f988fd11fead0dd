# SPDX-License-Identifier: GPL-2.0-or-later
"""Checks of a request: each code, each field, and their order (upstream-vdsm 3.3, 3.4)."""

from itertools import combinations

import pytest

from supervdsm.network.config import Bond, Configuration, Network
from unit.supervdsm.network.request.hosts import EMPTY, ask
from vdsm_contract.errors import NetworkConfigError

IP = {"ipaddr": "192.0.2.1", "netmask": "255.255.255.0"}
IP6 = {"ipv6addr": "2001:db8::1/64"}


def refused(
    networks: object, bondings: object = None, running: Configuration = EMPTY
) -> tuple[int, str]:
    with pytest.raises(NetworkConfigError) as caught:
        ask(networks, bondings, running)
    assert caught.value.reason
    return caught.value.errCode, caught.value.field


def run(networks: object = None, bondings: object = None) -> Configuration:
    """A configuration that runs."""
    return ask(networks, bondings)


@pytest.mark.parametrize("name", ["bond", "bond bad", "jamesbond007", "bond\u0661", "bond0\n"])
def test_a_bond_has_a_bonds_name(name: str) -> None:
    with pytest.raises(NetworkConfigError) as caught:
        ask({}, {name: {"nics": ["eth0"]}})
    assert caught.value.errCode == 25
    with pytest.raises(NetworkConfigError) as caught:
        ask({"n": {"bonding": name}})
    assert (caught.value.errCode, caught.value.field) == (25, "networks.n.bonding")


def test_a_bonds_name_fits_the_kernel() -> None:
    assert refused({}, {"bond" + "0" * 12: {"nics": ["eth0"]}}) == (25, "bondings.bond000000000000")


@pytest.mark.parametrize("nics", [[], None, ["eth0", "eth0"]])
def test_a_bond_needs_nics(nics: object) -> None:
    assert refused({}, {"bond0": {"nics": nics}}) == (21, "bondings.bond0.nics")


def test_a_vlan_needs_a_base() -> None:
    assert refused({"n": {"vlan": 5}}) == (26, "networks.n.vlan")


def test_qos_needs_a_base() -> None:
    assert refused({"n": {"hostQos": {"out": {"ls": {"m2": 1}}}}}) == (21, "networks.n.hostQos")


@pytest.mark.parametrize(
    ("attributes", "field"),
    [
        ({"ipaddr": "x", "prefix": 24}, "ipaddr"),
        ({"ipaddr": "192.0.2.1/24", "prefix": 24}, "ipaddr"),
        ({"ipaddr": "192.0.2.1%eth0", "prefix": 24}, "ipaddr"),
        ({"ipaddr": "192.0.2.\u0661", "prefix": 24}, "ipaddr"),
        ({"ipaddr": "192.0.2.01", "prefix": 24}, "ipaddr"),
        ({"ipaddr": "224.0.0.1", "prefix": 24}, "ipaddr"),
        ({"ipaddr": "0.0.0.0", "prefix": 24}, "ipaddr"),
        ({"ipaddr": "127.0.0.1", "prefix": 8}, "ipaddr"),
        ({"ipaddr": "255.255.255.255", "prefix": 32}, "ipaddr"),
        ({"ipaddr": "192.0.2.0", "prefix": 24}, "ipaddr"),
        ({"ipaddr": "192.0.2.255", "prefix": 24}, "ipaddr"),
        ({"ipaddr": "192.0.2.1", "prefix": 0}, "ipaddr"),
        ({"ipaddr": "2001:db8::1", "prefix": 24}, "ipaddr"),
        ({"ipaddr": "192.0.2.1"}, "netmask"),
        ({"netmask": "255.255.255.0"}, "netmask"),
        ({"prefix": "24"}, "netmask"),
        ({"gateway": "192.0.2.254"}, "gateway"),
        ({"gateway": "192.0.2.254", "bootproto": "dhcp"}, "gateway"),
        (IP | {"gateway": "x"}, "gateway"),
        (IP | {"gateway": "192.0.2.1"}, "gateway"),
        (IP | {"gateway": "192.0.2.255"}, "gateway"),
        (IP | {"gateway": "224.0.0.1"}, "gateway"),
        (IP | {"gateway": "2001:db8::1"}, "gateway"),
        (IP | {"bootproto": "dhcp"}, "ipaddr"),
        ({"ipv6gateway": "2001:db8::1"}, "ipv6gateway"),
        ({"ipv6addr": "::"}, "ipv6addr"),
        ({"ipv6addr": "::1/64"}, "ipv6addr"),
        ({"ipv6addr": "ff02::1/64"}, "ipv6addr"),
        ({"ipv6addr": "fe80::1/64"}, "ipv6addr"),
        ({"ipv6addr": "::ffff:192.0.2.1/64"}, "ipv6addr"),
        ({"ipv6addr": "2001:db8::1/0"}, "ipv6addr"),
        (IP6 | {"ipv6gateway": "2001:db8::1"}, "ipv6gateway"),
        (IP6 | {"ipv6gateway": "ff02::1"}, "ipv6gateway"),
        ({"defaultRoute": True, "nameservers": ["x"]}, "nameservers"),
        ({"defaultRoute": True, "nameservers": ["192.0.2.53%eth0"]}, "nameservers"),
        ({"defaultRoute": True, "nameservers": ["fe80::1%"]}, "nameservers"),
        ({"defaultRoute": True, "nameservers": ["fe80::1%../x"]}, "nameservers"),
        ({"defaultRoute": True, "nameservers": ["224.0.0.1"]}, "nameservers"),
    ],
)
def test_addresses_are_of_hosts_and_reach_each_other(
    attributes: dict[str, object], field: str
) -> None:
    assert refused({"n": {"nic": "eth0"} | attributes}) == (22, f"networks.n.{field}")


@pytest.mark.parametrize(
    "attributes",
    [
        IP | {"gateway": "192.0.2.254"},
        IP | {"gateway": "198.51.100.1"},
        {"ipaddr": "192.0.2.1", "prefix": 32, "gateway": "198.51.100.1"},
        {"ipaddr": "192.0.2.0", "prefix": 31, "gateway": "192.0.2.1"},
        IP6 | {"ipv6gateway": "fe80::1"},
        IP6 | {"ipv6gateway": "2001:db8::ffff"},
        IP6 | {"dhcpv6": True, "ipv6autoconf": True},
        {"ipv6addr": "2001:db8::1/128", "ipv6gateway": "2001:db8:1::1"},
        {"defaultRoute": True, "nameservers": ["127.0.0.53", "fe80::1%eth0", "2001:db8::53"]},
        {"bootproto": "dhcp", "dhcpv6": True},
    ],
)
def test_addresses_that_work_are_taken(attributes: dict[str, object]) -> None:
    assert ask({"n": {"nic": "eth0"} | attributes})


def test_ipv6_needs_its_mtu() -> None:
    assert refused({"n": {"nic": "eth0", "mtu": 1279} | IP6}) == (21, "networks.n.mtu")
    assert ask({"n": {"nic": "eth0", "mtu": 1279} | IP})


def test_name_servers_are_for_the_default_route() -> None:
    request = {"n": {"nic": "eth0", "nameservers": ["192.0.2.53"]}}
    assert refused(request) == (21, "networks.n.nameservers")


@pytest.mark.parametrize("address", [IP, IP6])
def test_two_networks_have_two_addresses(address: dict[str, object]) -> None:
    running = run({"a": {"nic": "eth0"} | address})
    key = next(iter(address))
    assert refused({"b": {"nic": "eth1"} | address}, None, running) == (22, f"networks.b.{key}")
    assert ask({"b": {"nic": "eth1"} | address, "a": {"remove": True}}, None, running)
    assert ask({"a": {"nic": "eth1"} | address}, None, running)


def test_two_networks_may_be_in_one_subnet() -> None:
    other = IP | {"ipaddr": "192.0.2.2"}
    assert ask({"a": {"nic": "eth0"} | IP, "b": {"nic": "eth1"} | other})


def test_one_network_has_the_default_route() -> None:
    request = {"a": {"nic": "eth0", "defaultRoute": True}, "b": {"custom": {"default_route": "1"}}}
    assert refused(request) == (21, "networks.b.defaultRoute")


@pytest.mark.parametrize("vlan", [None, 5])
def test_a_device_carries_one_network(vlan: int | None) -> None:
    base = {"nic": "eth0", "vlan": vlan}
    assert refused({"a": base, "b": base}) == (21, "networks.a.nic")
    assert refused({"b": base}, None, run({"a": base})) == (21, "networks.b.nic")
    assert ask({"b": base, "a": {"remove": True}}, None, run({"a": base}))


def test_a_nic_carries_one_network_without_a_tag_and_others_with() -> None:
    assert ask({"a": {"nic": "eth0"}, "b": {"nic": "eth0", "vlan": 0}, "c": {"nic": "eth1"}})


def test_a_network_without_a_bridge_needs_a_base() -> None:
    assert refused({"n": {"bridged": False}}) == (21, "networks.n")
    assert ask({"n": {}}).networks["n"] == Network(name="n")


def test_a_removal_says_nothing_else_but_custom() -> None:
    running = run({"n": {"nic": "eth0"}})
    assert refused({"n": {"remove": "true", "nic": "eth0"}}, None, running) == (
        21,
        "networks.n.nic",
    )
    assert ask({"n": {"remove": True, "custom": {"x": "y"}}}, None, running) == EMPTY


def test_a_network_that_is_not_there_cannot_be_removed() -> None:
    assert refused({"n": {"remove": True}}) == (27, "networks.n")


@pytest.mark.parametrize("vlan", [4095, "4095", 2**62])
def test_a_vlan_is_in_its_range(vlan: object) -> None:
    assert refused({"n": {"nic": "eth0", "vlan": vlan}}) == (26, "networks.n.vlan")


def test_a_vlans_name_fits_the_kernel() -> None:
    bond = {"bond0123456": {"nics": ["eth0"]}}
    assert refused({"n": {"bonding": "bond0123456", "vlan": 1000}}, bond) == (26, "networks.n.vlan")
    assert ask({"n": {"bonding": "bond0123456", "vlan": 999}}, bond)


def test_a_vlan_meets_no_other_device() -> None:
    assert refused({"n": {"nic": "eth0", "vlan": 77}}) == (26, "networks.n.vlan")
    assert refused({"n": {"nic": "eth6", "vlan": 60}}) == (26, "networks.n.vlan")


@pytest.mark.parametrize("nic", ["eth99", "bond9", "br7", "dummy0", "../eth0", "n"])
@pytest.mark.parametrize("vlan", [None, 5])
def test_a_nic_is_a_nic_that_exists(nic: str, vlan: int | None) -> None:
    assert refused({"n": {"nic": nic, "vlan": vlan}}) == (23, "networks.n.nic")


def test_a_bond_exists_or_is_made() -> None:
    assert refused({"n": {"bonding": "bond0"}}) == (25, "networks.n.bonding")
    assert ask({"n": {"bonding": "bond0"}}, {"bond0": {"nics": ["eth0"]}})
    assert ask({"n": {"bonding": "bond0"}}, None, run({}, {"bond0": {"nics": ["eth0"]}}))


@pytest.mark.parametrize(
    "name",
    [
        "",
        "a" * 16,
        "a:b",
        "a.b",
        "a b",
        "a\tb",
        "-a",
        "a/b",
        "..",
        "a\x00",
        "a\n",
        "é",
        "a%d",
        "all",
    ],
)
def test_a_bridge_has_a_devices_name(name: str) -> None:
    with pytest.raises(NetworkConfigError) as caught:
        ask({name: {"nic": "eth0"}})
    assert caught.value.errCode == 27


@pytest.mark.parametrize("name", ["", "a" * 65, "../a", ".", "a/b", "a\x7f"])
def test_a_network_without_a_bridge_has_a_files_name(name: str) -> None:
    with pytest.raises(NetworkConfigError) as caught:
        ask({name: {"nic": "eth0", "bridged": False}})
    assert caught.value.errCode == 27


@pytest.mark.parametrize("name", ["eth0", "eth1", "bond9", "dummy0", "bond0"])
def test_a_bridge_takes_no_other_devices_name(name: str) -> None:
    bond = {"bond0": {"nics": ["eth2"]}}
    assert refused({name: {"nic": "eth0"}}, bond) == (27, f"networks.{name}")


def test_a_network_without_a_bridge_may_be_called_as_its_nic() -> None:
    assert ask({"eth0": {"nic": "eth0", "bridged": False}})


def test_a_bridge_that_exists_may_be_taken_over() -> None:
    assert ask({"br7": {"nic": "eth7"}})


def test_a_bond_takes_no_networks_name() -> None:
    running = run({"bond0": {"nic": "eth0"}})
    assert refused({}, {"bond0": {"nics": ["eth1"]}}, running) == (25, "bondings.bond0")


def test_a_bond_in_use_cannot_be_removed() -> None:
    running = run({"n": {"bonding": "bond0", "vlan": 5}}, {"bond0": {"nics": ["eth0"]}})
    gone = {"bond0": {"remove": True}}
    assert refused({}, gone, running) == (31, "bondings.bond0")
    assert refused({"m": {"bonding": "bond0"}}, gone, running) == (31, "bondings.bond0")
    assert refused({"m": {"bonding": "bond9"}}, {"bond9": {"remove": True}}) == (
        31,
        "bondings.bond9",
    )
    assert ask({"n": {"remove": True}}, gone, running) == EMPTY


@pytest.mark.parametrize("nic", ["eth99", "bond0", "bond9", "dummy0", ""])
def test_a_bonds_nics_are_nics(nic: str) -> None:
    assert refused({}, {"bond0": {"nics": [nic]}}) == (23, "bondings.bond0.nics")


@pytest.mark.parametrize(
    "options",
    ["mode=9", "mode=1 lacp_rate=1", "x", "x=1", "mode=1 primary=eth1", "mode=4 arp_interval=1"],
)
def test_bond_options_are_those_of_the_mode(options: str) -> None:
    request = {"bond0": {"nics": ["eth0"], "options": options}}
    assert refused({}, request) == (25, "bondings.bond0.options")


def test_a_nic_has_one_user() -> None:
    bond = {"bond0": {"nics": ["eth0"]}}
    nics = (24, "bondings.bond0.nics")
    assert refused({"n": {"nic": "eth0"}}, bond) == nics
    assert refused({"n": {"nic": "eth0", "vlan": 5}}, bond) == nics
    assert refused({}, bond, run({"n": {"nic": "eth0"}})) == nics
    assert refused({"n": {"nic": "eth0"}}, None, run({}, bond)) == (24, "networks.n.nic")
    assert refused({}, bond, run({}, {"bond1": {"nics": ["eth0", "eth1"]}})) == nics
    assert refused({}, {"bond0": {"nics": ["eth6"]}}) == nics  # a VLAN that is not ours
    assert refused({}, {"bond0": {"nics": ["eth7"]}}) == nics  # a bridge that is not ours
    assert refused({}, {"bond0": {"nics": ["eth8"]}}) == nics  # a bond that is not ours
    assert refused({"n": {"nic": "eth7"}}) == (24, "networks.n.nic")
    assert refused({"n": {"nic": "eth8"}}) == (24, "networks.n.nic")
    assert refused({"n": {"nic": "eth8", "vlan": 5}}) == (24, "networks.n.nic")


def test_a_nic_may_change_hands_in_one_request() -> None:
    bonds = {"bond0": {"nics": ["eth0", "eth1"]}, "bond1": {"nics": ["eth2", "eth3"]}}
    swapped = {"bond0": {"nics": ["eth0", "eth2"]}, "bond1": {"nics": ["eth1", "eth3"]}}
    assert ask({}, swapped, run({}, bonds)).bonds["bond0"].nics == ("eth0", "eth2")
    network = run({"n": {"nic": "eth0"}})
    assert ask({"n": {"bonding": "bond0"}}, {"bond0": {"nics": ["eth0"]}}, network)
    assert ask({"n": {"nic": "eth8"}}, {"bond9": {"remove": True}})


def test_a_vlan_may_share_a_nic_with_a_bridge_that_is_not_ours() -> None:
    assert ask({"n": {"nic": "eth7", "vlan": 5}})


GONE = Network(name="old", nic="eth99")


def test_what_runs_is_not_checked_again() -> None:
    running = Configuration(networks={"old": GONE}, bonds={"bond5": Bond(name="bond5", nics=())})
    assert ask({"n": {"nic": "eth0"}}, None, running).networks["old"] == GONE


FAULTS: list[tuple[int, dict[str, object], dict[str, object]]] = [
    (21, {"f1": {"stp": "x"}}, {}),
    (21, {"f2": {"nic": "eth0", "mtu": 1}}, {}),
    (25, {}, {"x": {"nics": ["eth0"]}}),
    (21, {}, {"bond1": {}}),
    (26, {"f3": {"vlan": 1}}, {}),
    (22, {"f4": {"nic": "eth1", "ipaddr": "x", "prefix": 24}}, {}),
    (21, {"f5": {"bridged": False}}, {}),
    (27, {"f6": {"remove": True}}, {}),
    (23, {"f7": {"nic": "eth99"}}, {}),
    (25, {}, {"bond2": {"nics": ["eth2"], "options": "x"}}),
    (24, {"f8": {"nic": "eth8"}}, {}),
]
"""In the order of upstream-vdsm 3.4."""


@pytest.mark.parametrize(("first", "later"), [*combinations(range(len(FAULTS)), 2)])
def test_the_first_fault_in_upstreams_order_is_told(first: int, later: int) -> None:
    code, networks, bondings = FAULTS[first]
    alone = refused(networks, bondings)
    assert alone[0] == code
    _, more_networks, more_bondings = FAULTS[later]
    assert refused(more_networks | networks, more_bondings | bondings) == alone
