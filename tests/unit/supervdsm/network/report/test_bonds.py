# SPDX-License-Identifier: GPL-2.0-or-later
"""Bonds: options as the kernel's files have them, speed by mode."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervdsm.network.report import bonds

FRESH = {
    "active_slave": "",
    "ad_actor_sys_prio": "",
    "ad_select": "stable 0",
    "all_slaves_active": "0",
    "arp_interval": "0",
    "arp_ip_target": "",
    "arp_validate": "none 0",
    "lacp_active": "on 1",
    "lacp_rate": "slow 0",
    "miimon": "0",
    "mii_status": "down",
    "mode": "balance-rr 0",
    "num_grat_arp": "1",
    "primary": "",
    "queue_id": "",
    "slaves": "",
    "use_carrier": "1",
    "xmit_hash_policy": "layer2 0",
}
"""The files of a bond that nobody has configured, in part."""


def test_a_fresh_bond_has_only_its_mode() -> None:
    assert bonds.options(FRESH) == {"mode": "0"}


def test_options_are_numbers_by_name() -> None:
    raw = FRESH | {"mode": "802.3ad 4", "miimon": "150", "lacp_rate": "fast 1"}
    raw |= {"xmit_hash_policy": "layer3+4 1", "slaves": "eth0 eth1", "ad_partner_mac": "00:00"}
    assert bonds.options(raw) == {
        "mode": "4",
        "miimon": "150",
        "lacp_rate": "1",
        "xmit_hash_policy": "1",
    }


@pytest.mark.parametrize("mode", ["802.3ad 4", "balance-tlb 5", "balance-alb 6"])
def test_miimon_100_is_the_default_of_modes_that_need_it(mode: str) -> None:
    assert bonds.options(FRESH | {"mode": mode, "miimon": "100"}) == {"mode": mode[-1]}


def test_miimon_100_is_an_option_of_the_others() -> None:
    raw = FRESH | {"mode": "active-backup 1", "miimon": "100", "primary": "eth1"}
    assert bonds.options(raw) == {"mode": "1", "miimon": "100", "primary": "eth1"}


def test_a_list_keeps_all_its_members() -> None:
    raw = FRESH | {"arp_ip_target": "192.0.2.1 192.0.2.2", "arp_interval": "1000"}
    assert bonds.options(raw)["arp_ip_target"] == "192.0.2.1,192.0.2.2"


@pytest.mark.parametrize(
    ("mode", "active", "ports", "speed"),
    [
        ("1", "eth1", {"eth0": 10000, "eth1": 1000}, 1000),
        ("1", "", {"eth0": 10000}, 0),
        ("3", "", {"eth0": 10000, "eth1": 1000, "eth2": 0}, 1000),
        ("3", "", {}, 0),
        ("4", "", {"eth0": 10000, "eth1": 10000, "eth2": 0}, 20000),
        ("0", "", {}, 0),
    ],
)
def test_speed_goes_by_mode(mode: str, active: str, ports: dict[str, int], speed: int) -> None:
    assert bonds.speed(mode, active, ports) == speed


@given(st.dictionaries(st.text(), st.text()))
def test_any_file_is_borne(raw: dict[str, str]) -> None:
    options = bonds.options(FRESH | raw)
    assert "mode" in options
    assert not options.keys() & {"slaves", "active_slave", "mii_status"}
