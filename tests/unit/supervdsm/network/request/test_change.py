# SPDX-License-Identifier: GPL-2.0-or-later
"""From a request to the whole new configuration."""

import time

from msgspec.structs import replace

from supervdsm.network.config import Bond, Configuration, Device, Network
from supervdsm.network.plan.state import Device as KernelDevice
from supervdsm.network.plan.state import State
from supervdsm.network.request.facts import Facts
from unit.supervdsm.network.request.hosts import FACTS, HWADDR, STATE, ask

STATIC = {"ipaddr": "192.0.2.1", "netmask": "255.255.255.0", "gateway": "192.0.2.254"}


def test_what_is_not_asked_about_stays() -> None:
    running = Configuration(
        networks={"a": Network(name="a", nic="eth0")},
        bonds={"bond0": Bond(name="bond0", nics=("eth1",))},
        devices={"eth3": Device(name="eth3", numvfs=2)},
    )
    new = ask({"b": {"nic": "eth2"}}, None, running)
    assert new.networks == {**running.networks, "b": Network(name="b", nic="eth2")}
    assert (new.bonds, new.devices) == (running.bonds, running.devices)
    assert ask({}, {}, running) == running


def test_what_is_asked_about_is_replaced_as_a_whole() -> None:
    running = ask({"a": {"nic": "eth0", "mtu": 9000} | STATIC})
    assert ask({"a": {"nic": "eth0"}}, None, running).networks["a"] == Network(name="a", nic="eth0")


def test_what_is_removed_is_gone() -> None:
    running = ask({"a": {"nic": "eth0"}}, {"bond0": {"nics": ["eth1"]}})
    new = ask({"a": {"remove": "true"}}, {"bond0": {"remove": True}}, running)
    assert new == Configuration()


def test_a_new_default_route_takes_it_from_the_old_one() -> None:
    running = ask({"old": {"nic": "eth0", "defaultRoute": True} | STATIC})
    old = running.networks["old"]
    assert old.nameservers
    new = ask({"new": {"nic": "eth1", "defaultRoute": True}}, None, running)
    assert new.networks["new"].defaultRoute
    assert new.networks["old"] == replace(old, defaultRoute=False, nameservers=())


def test_the_default_route_stays_where_nobody_takes_it() -> None:
    running = ask({"old": {"nic": "eth0", "defaultRoute": True} | STATIC})
    assert ask({"new": {"nic": "eth1"}}, None, running).networks["old"].defaultRoute


def test_a_network_with_the_default_route_can_be_asked_for_again() -> None:
    request = {"old": {"nic": "eth0", "defaultRoute": True} | STATIC}
    running = ask(request)
    assert ask(request, None, running) == running


def test_a_foreign_bond_that_a_network_names_is_taken_over() -> None:
    new = ask({"n": {"bonding": "bond9", "vlan": 5}})
    assert new.bonds == {
        "bond9": Bond(
            name="bond9",
            nics=("eth8", "eth9"),
            options="mode=4 lacp_rate=1",
            hwaddr=HWADDR,
        )
    }


def test_a_bond_of_ours_that_a_network_names_stays_as_configured() -> None:
    running = Configuration(bonds={"bond9": Bond(name="bond9", nics=("eth8",))})
    assert ask({"n": {"bonding": "bond9"}}, None, running).bonds == running.bonds


def test_a_foreign_bond_keeps_its_address_unless_another_is_asked_for() -> None:
    nics = ["eth8", "eth9"]
    assert ask({}, {"bond9": {"nics": nics}}).bonds["bond9"].hwaddr == HWADDR
    hwaddr = "02:00:00:00:00:aa"
    assert ask({}, {"bond9": {"nics": nics, "hwaddr": hwaddr}}).bonds["bond9"].hwaddr == hwaddr


def test_a_bond_of_ours_keeps_its_address_only_if_it_was_given_one() -> None:
    ours = Bond(name="bond9", nics=("eth8", "eth9"))
    request = {"bond9": {"nics": ["eth8"]}}
    running = Configuration(bonds={"bond9": ours})
    assert ask({}, request, running).bonds["bond9"].hwaddr is None
    running = Configuration(bonds={"bond9": replace(ours, hwaddr=HWADDR)})
    assert ask({}, request, running).bonds["bond9"].hwaddr == HWADDR


def test_a_foreign_bond_may_be_removed() -> None:
    new = ask({}, {"bond9": {"remove": True}})
    assert new == Configuration(unwanted=frozenset({"bond9"}))


def test_a_bond_that_is_nowhere_may_be_removed() -> None:
    assert ask({}, {"bond5": {"remove": True}}) == Configuration()


def test_a_kernel_bond_with_odd_options_is_taken_over_without_them() -> None:
    odd = KernelDevice(name="bond9", kind="bond", options={"mode": "1", "arp_ip_target": "0.0.0.1"})
    facts = Facts.of(State(devices={**STATE.devices, "bond9": odd}))
    new = ask({"n": {"bonding": "bond9"}}, None, Configuration(), facts)
    assert new.bonds["bond9"].options == "mode=1"


def test_ten_thousand_networks_end_soon() -> None:
    networks = {
        f"n{n}": {"nic": f"eth{n // 3000 % 4}", "vlan": str(100 + n % 3000)} for n in range(10000)
    }
    networks["n0"] = networks["n0"] | {"ipaddr": "192.0.2.1", "prefix": "24"}
    bonds = {f"bond{n}": {"remove": True} for n in range(10, 10010)}
    started = time.process_time()
    running = ask(networks, bonds, facts=FACTS)
    assert len(running.networks) == 10000
    removals = {name: {"remove": True} for name in networks}
    assert ask(removals, bonds, running, FACTS) == Configuration()
    used = time.process_time() - started
    small = time.process_time()
    ask(dict(list(networks.items())[:1000]), {}, facts=FACTS)
    # Linear: ten times the networks, twice, and room for noise; a quadratic way takes 200 times.
    assert used < 80 * (time.process_time() - small)
