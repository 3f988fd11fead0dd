# SPDX-License-Identifier: GPL-2.0-or-later
"""Attributes of networks and bonds: types, aliases, defaults, and what is refused."""

import math

import pytest

from supervdsm.network.config import Bond, Network
from unit.supervdsm.network.request.hosts import ask
from vdsm_contract.errors import NetworkConfigError
from vdsm_contract.types import HostQos, QosClass, QosCurve


def network(**attributes: object) -> Network:
    return ask({"n": {"nic": "eth0"} | attributes}).networks["n"]


def refused(**attributes: object) -> tuple[int, str]:
    with pytest.raises(NetworkConfigError) as caught:
        network(**attributes)
    return caught.value.errCode, caught.value.field


def test_a_network_has_upstreams_defaults() -> None:
    assert network() == Network(
        name="n",
        nic="eth0",
        bonding=None,
        vlan=None,
        bridged=True,
        mtu=1500,
        stp=False,
        switch="legacy",
        defaultRoute=False,
        bootproto="none",
        dhcpv6=False,
        ipv6autoconf=False,
        nameservers=(),
    )


def test_the_engines_text_is_read() -> None:
    found = network(vlan="100", bridged="true", stp="yes", mtu="9000", ipv6autoconf="true")
    assert (found.vlan, found.bridged, found.stp, found.mtu) == (100, True, True, 9000)
    assert found.ipv6autoconf


def test_null_and_empty_text_are_as_if_they_were_not_there() -> None:
    names = ("vlan", "mtu", "ipaddr", "gateway", "stp", "bonding", "custom", "hostQos", "bridged")
    assert network(**dict.fromkeys(names)) == network()
    assert network(**dict.fromkeys(names, "")) == network()


def test_remove_that_is_false_is_no_removal() -> None:
    assert network(remove=False) == network(remove="false") == network()
    assert ask({}, {"bond0": {"nics": ["eth0"], "remove": False}}).bonds.keys() == {"bond0"}


@pytest.mark.parametrize("word", [True, "true", "True", "yes", "on", "1", 1])
def test_words_for_true(word: object) -> None:
    assert network(stp=word).stp
    assert not network(bridged=not word if isinstance(word, bool) else "no").bridged


def test_stp_by_its_other_name() -> None:
    assert network(STP="on").stp
    assert not network(stp=False, STP=True).stp
    assert not network(stp=True, bridged=False).stp


def test_stp_by_a_bridge_option() -> None:
    assert network(custom={"bridge_opts": "stp_state=1"}).stp
    assert network(custom={"bridge_opts": "stp_state=1"}).custom is None
    assert refused(stp=False, custom={"bridge_opts": "stp_state=1"}) == (21, "networks.n.stp")


def test_the_nic_wins_over_the_bond() -> None:
    assert network(bonding="bond9").bonding is None


def test_a_prefix_becomes_a_netmask() -> None:
    assert network(ipaddr="192.0.2.1", prefix="25").netmask == "255.255.255.128"
    assert network(ipaddr="192.0.2.1", prefix=25, netmask="").netmask == "255.255.255.128"
    assert network(ipaddr="192.0.2.1", netmask="25").netmask == "255.255.255.128"


def test_an_ipv6_address_is_compressed() -> None:
    assert network(ipv6addr="2001:DB8:0:0::1/64").ipv6addr == "2001:db8::1/64"
    assert network(ipv6addr="2001:db8::1").ipv6addr == "2001:db8::1/128"


def test_two_colons_are_no_ipv6_gateway() -> None:
    for none in ("::", "::0", "0:0::"):
        assert network(ipv6addr="2001:db8::1/64", ipv6gateway=none).ipv6gateway is None
    found = network(ipv6addr="2001:db8::1/64", ipv6gateway="FE80:0::1")
    assert found.ipv6gateway == "fe80::1"


def test_custom_default_route_overrides_and_is_not_kept() -> None:
    found = network(custom={"default_route": "true", "ethtool_opts": "-K eth0 gro off"})
    assert found.defaultRoute
    assert found.custom == {"ethtool_opts": "-K eth0 gro off"}
    assert not network(defaultRoute=True, custom={"default_route": False}).defaultRoute


def test_bridge_options_are_sorted() -> None:
    found = network(custom={"bridge_opts": "multicast_snooping=0 forward_delay=1500"})
    assert found.custom == {"bridge_opts": "forward_delay=1500 multicast_snooping=0"}
    assert found.bridge_options == {"forward_delay": "1500", "multicast_snooping": "0"}


def test_name_servers_are_the_hosts_for_a_static_default_route() -> None:
    static = {"defaultRoute": True, "ipaddr": "192.0.2.1", "prefix": 24}
    assert network(**static).nameservers == ("192.0.2.53", "127.0.0.53")
    assert network(**static, nameservers=[]).nameservers == ()
    assert network(**static, nameservers=["192.0.2.9"] * 2).nameservers == ("192.0.2.9",)
    assert network(defaultRoute=True, bootproto="dhcp").nameservers == ()
    assert network().nameservers == ()


def test_host_qos_is_read() -> None:
    out = {"ls": {"m1": "80", "d": 5, "m2": 800}, "ul": {"m2": 80}, "rt": {"m2": 0}}
    assert network(hostQos={"out": out}).hostQos == HostQos(
        out=QosClass(ls=QosCurve(m1=80, d=5, m2=800), ul=QosCurve(m2=80))
    )
    assert network(hostQos={}).hostQos is None


def test_volatile_attributes_are_dropped() -> None:
    assert network(blockingdhcp=True) == network()


@pytest.mark.parametrize(
    ("attributes", "code", "field"),
    [
        ({"nic": ["eth0"]}, 23, "nic"),
        ({"nic": None, "bonding": 3}, 25, "bonding"),
        ({"vlan": "x"}, 26, "vlan"),
        ({"vlan": True}, 26, "vlan"),
        ({"vlan": -1}, 26, "vlan"),
        ({"vlan": 1.0}, 26, "vlan"),
        ({"vlan": "\u0661"}, 26, "vlan"),
        ({"vlan": 10**5000}, 26, "vlan"),
        ({"mtu": -(10**5000)}, 21, "mtu"),
        ({"nic": 10**5000}, 23, "nic"),
        ({"vlan": "9" * 5000}, 26, "vlan"),
        ({"mtu": "x"}, 21, "mtu"),
        ({"mtu": math.nan}, 21, "mtu"),
        ({"mtu": {}}, 21, "mtu"),
        ({"mtu": 67}, 21, "mtu"),
        ({"mtu": 0}, 21, "mtu"),
        ({"mtu": 65536}, 21, "mtu"),
        ({"bridged": "maybe"}, 21, "bridged"),
        ({"bridged": 2}, 21, "bridged"),
        ({"bridged": 1.0}, 21, "bridged"),
        ({"stp": "x"}, 21, "stp"),
        ({"STP": "x"}, 21, "STP"),
        ({"bootproto": "bootp"}, 21, "bootproto"),
        ({"bootproto": True}, 21, "bootproto"),
        ({"switch": "ovs"}, 21, "switch"),
        ({"switch": "x"}, 21, "switch"),
        ({"custom": {"ovs": "true"}}, 21, "switch"),
        ({"custom": []}, 21, "custom"),
        ({"custom": {"x": {}}}, 21, "custom.x"),
        ({"custom": {"x": "a\nb"}}, 21, "custom.x"),
        ({"custom": {"bridge_opts": "../x=1"}}, 21, "custom.bridge_opts"),
        ({"custom": {"bridge_opts": "x"}}, 21, "custom.bridge_opts"),
        ({"prefix": 24, "netmask": "255.255.255.0"}, 21, "prefix"),
        ({"prefix": 33, "ipaddr": "192.0.2.1"}, 22, "prefix"),
        ({"prefix": "x", "ipaddr": "192.0.2.1"}, 22, "prefix"),
        ({"netmask": "255.0.255.0", "ipaddr": "192.0.2.1"}, 22, "netmask"),
        ({"netmask": "0.0.0.255", "ipaddr": "192.0.2.1"}, 22, "netmask"),
        ({"ipv6addr": "x"}, 22, "ipv6addr"),
        ({"ipv6addr": "192.0.2.1/24"}, 22, "ipv6addr"),
        ({"ipv6addr": "fe80::1%eth0/64"}, 22, "ipv6addr"),
        ({"ipv6addr": 1}, 22, "ipv6addr"),
        ({"ipv6gateway": "x"}, 22, "ipv6gateway"),
        ({"ipv6gateway": "fe80::1%eth0"}, 22, "ipv6gateway"),
        ({"nameservers": "192.0.2.53"}, 21, "nameservers"),
        ({"nameservers": [53]}, 21, "nameservers"),
        ({"hostQos": {"in": {}}}, 21, "hostQos.in"),
        ({"hostQos": {"out": {"ul": {"m2": 8}}}}, 21, "hostQos.out.ls"),
        ({"hostQos": {"out": {"ls": {"m2": 0}}}}, 21, "hostQos.out.ls"),
        ({"hostQos": {"out": {"ls": {"m2": "x"}}}}, 21, "hostQos.out.ls.m2"),
        ({"hostQos": {"out": {"ls": {"m2": 1}, "rt": {"m2": 10**12}}}}, 21, "hostQos.out.rt.m2"),
        ({"hostQos": {"out": {"ls": {"m2": 1, "d": 2**32}}}}, 21, "hostQos.out.ls.d"),
        ({"hostQos": {"out": {"ls": 5}}}, 21, "hostQos.out.ls"),
        ({"onboot": "yes"}, 21, "onboot"),
        ({"remove": "perhaps"}, 21, "remove"),
    ],
)
def test_what_an_attribute_is_not_is_refused_by_its_code_and_path(
    attributes: dict[str, object], code: int, field: str
) -> None:
    assert refused(**attributes) == (code, f"networks.n.{field}")


@pytest.mark.parametrize("raw", [None, [], "x", 5, math.nan])
def test_what_is_no_object_is_refused(raw: object) -> None:
    for networks, bondings, field in (
        ({"n": raw}, {}, "networks.n"),
        ({}, {"bond0": raw}, "bondings.bond0"),
    ):
        with pytest.raises(NetworkConfigError) as caught:
            ask(networks, bondings)
        assert (caught.value.errCode, caught.value.field) == (21, field)


def test_a_bond_has_defaults_and_sorted_nics() -> None:
    found = ask({}, {"bond0": {"nics": ["eth1", "eth0"]}}).bonds["bond0"]
    assert found == Bond(name="bond0", nics=("eth0", "eth1"), options="mode=0", hwaddr=None)


def test_bond_options_become_numbers() -> None:
    bond = {
        "nics": ["eth0"],
        "options": "miimon=100 xmit_hash_policy=layer2+3 mode=802.3ad",
        "hwaddr": "02:00:00:00:00:0A",
        "switch": "legacy",
    }
    found = ask({}, {"bond0": bond}).bonds["bond0"]
    assert found.options == "mode=4 miimon=100 xmit_hash_policy=2"
    assert found.hwaddr == "02:00:00:00:00:0a"


@pytest.mark.parametrize(
    ("attributes", "code", "field"),
    [
        ({"nics": "eth0"}, 21, "nics"),
        ({"nics": [["eth0"]]}, 21, "nics"),
        ({"nics": {"eth0": 1}}, 21, "nics"),
        ({"options": 4}, 25, "options"),
        ({"options": ["mode=4"]}, 25, "options"),
        ({"hwaddr": 5}, 21, "hwaddr"),
        ({"hwaddr": "01:00:00:00:00:01"}, 21, "hwaddr"),
        ({"hwaddr": "00:00:00:00:00:00"}, 21, "hwaddr"),
        ({"hwaddr": "x"}, 21, "hwaddr"),
        ({"switch": "ovs"}, 21, "switch"),
        ({"slaves": ["eth0"]}, 21, "slaves"),
    ],
)
def test_what_a_bonds_attribute_is_not_is_refused(
    attributes: dict[str, object], code: int, field: str
) -> None:
    with pytest.raises(NetworkConfigError) as caught:
        ask({}, {"bond0": {"nics": ["eth0"]} | attributes})
    assert (caught.value.errCode, caught.value.field) == (code, f"bondings.bond0.{field}")


def test_what_the_caller_wrote_is_cut_in_errors() -> None:
    name = "n\n\u2028\ud800" * 10000
    with pytest.raises(NetworkConfigError) as caught:
        ask({name: {"nic": "x" * 10**6, "vlan": name}})
    assert len(str(caught.value)) < 1000
    assert str(caught.value).isprintable()
    assert str(caught.value).isascii()
