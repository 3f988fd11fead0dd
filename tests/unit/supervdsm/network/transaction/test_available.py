# SPDX-License-Identifier: GPL-2.0-or-later
"""What of a configuration a host with other NICs can have."""

import pytest

from supervdsm.network.config import Bond, Configuration, Network
from supervdsm.network.plan.state import Device, State
from supervdsm.network.transaction.available import available, existing, nics, reduced

CONFIGURATION = Configuration(
    networks={
        "ovirtmgmt": Network(name="ovirtmgmt", nic="eth0"),
        "storage": Network(name="storage", bonding="bond0", vlan=100, bridged=False),
        "display": Network(name="display", nic="eth0", vlan=5),
        "plain": Network(name="plain", nic="eth3", bridged=False),
        "isolated": Network(name="isolated"),
    },
    bonds={"bond0": Bond(name="bond0", nics=("eth1", "eth2"), options="mode=1 primary=eth1")},
)


def test_the_nics_that_are_named() -> None:
    assert nics(CONFIGURATION) == {"eth0", "eth1", "eth2", "eth3"}


def test_with_all_nics_nothing_is_dropped() -> None:
    assert available(CONFIGURATION, nics(CONFIGURATION)) == (CONFIGURATION, {})
    assert reduced(CONFIGURATION, CONFIGURATION) == {}


def test_networks_go_with_their_nic() -> None:
    found, dropped = available(CONFIGURATION, {"eth1", "eth2", "eth3"})
    assert set(found.networks) == {"storage", "plain", "isolated"}
    assert dropped == dict.fromkeys(("ovirtmgmt", "display"), "its NIC eth0 is not there")


@pytest.mark.parametrize(("left", "options"), [("eth1", "mode=1 primary=eth1"), ("eth2", "mode=1")])
def test_a_bond_does_with_the_nics_that_are_left(left: str, options: str) -> None:
    found, dropped = available(CONFIGURATION, {"eth0", "eth3", left})
    assert found.bonds["bond0"] == Bond(name="bond0", nics=(left,), options=options)
    assert reduced(CONFIGURATION, found) == {"bond0": [{"eth1": "eth2", "eth2": "eth1"}[left]]}
    assert dropped == {}


def test_a_bond_without_nics_goes_with_its_networks() -> None:
    found, dropped = available(CONFIGURATION, {"eth0", "eth3"})
    assert found.bonds == {}
    assert "storage" not in found.networks
    assert dropped == {
        "bond0": "none of its NICs is there: eth1, eth2",
        "storage": "its bond bond0 is not there",
    }


def test_what_is_there_is_known_by_the_devices_that_were_made_for_it() -> None:
    names = ("eth0", "eth1", "eth2", "eth3", "bond0.100")
    state = State(devices={name: Device(name=name, kind="nic") for name in names})
    found = existing(CONFIGURATION, state)
    assert set(found.networks) == {"storage"}
    assert found.bonds == {}
