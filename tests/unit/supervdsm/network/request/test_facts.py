# SPDX-License-Identifier: GPL-2.0-or-later
"""Facts of a state."""

from supervdsm.network.plan.state import State
from supervdsm.network.request.facts import Facts, KernelBond
from unit.supervdsm.network.request.hosts import FACTS, HWADDR


def test_a_bond_has_its_nics_options_and_address() -> None:
    options = {"mode": "4", "miimon": "100", "lacp_rate": "1", "active_slave": ""}
    assert FACTS.bonds == {"bond9": KernelBond(("eth8", "eth9"), options, HWADDR)}


def test_ports_have_masters_and_devices_have_vlans() -> None:
    assert FACTS.masters == {"eth7": "br7", "eth8": "bond9", "eth9": "bond9"}
    assert FACTS.vlans == {("eth6", 60): "vlan60"}
    assert FACTS.vlans_on == {"eth6": ("vlan60",)}
    assert FACTS.kinds["br7"] == "bridge"


def test_no_state_is_no_facts() -> None:
    assert Facts.of(State()) == Facts()
