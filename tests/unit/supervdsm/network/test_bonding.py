# SPDX-License-Identifier: GPL-2.0-or-later
"""Bond options: the table, text to values and back, and what a change sets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervdsm.network import bonding
from supervdsm.network.bonding import BadOption, Type, parse, render

NUMERIC = [
    option
    for option in bonding.OPTIONS.values()
    if option.type in {Type.U8, Type.U16, Type.U32} and option.name != "mode"
]
MONITORING = {
    "miimon": "",
    "updelay": "miimon=1",
    "downdelay": "miimon=1",
    "peer_notif_delay": "miimon=1",
}
"""What else an option needs."""


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("", {"mode": "0"}),
        ("mode=4 miimon=100", {"mode": "4", "miimon": "100"}),
        ("mode=active-backup", {"mode": "1"}),
        ("lacp_rate=fast mode=802.3ad", {"mode": "4", "lacp_rate": "1"}),
        ("mode=2 xmit_hash_policy=layer3+4", {"mode": "2", "xmit_hash_policy": "1"}),
        ("mode=1 primary=eth0", {"mode": "1", "primary": "eth0"}),
        ("mode=1 num_unsol_na=3", {"mode": "1", "num_grat_arp": "3"}),
        ("mode=1 miimon=0100", {"mode": "1", "miimon": "100"}),
        (
            "mode=1 arp_interval=1000 arp_ip_target=192.0.2.2,192.0.2.1",
            {"mode": "1", "arp_interval": "1000", "arp_ip_target": "192.0.2.2,192.0.2.1"},
        ),
        ("ns_ip6_target=2001:DB8:0::1", {"mode": "0", "ns_ip6_target": "2001:db8::1"}),
        (
            "mode=4 ad_actor_system=02:00:00:00:00:0A",
            {"mode": "4", "ad_actor_system": "02:00:00:00:00:0a"},
        ),
        ("mode=1 miimon=100 miimon=100", {"mode": "1", "miimon": "100"}),
    ],
)
def test_names_and_numbers_become_numbers(text: str, values: dict[str, str]) -> None:
    assert parse(text) == values


@pytest.mark.parametrize(
    ("text", "option"),
    [
        ("mode", "mode"),
        ("mode=7", "mode"),
        ("mode=custom", "mode"),
        ("foo=1", "foo"),
        ("slaves=eth0", "slaves"),
        ("active_slave=eth0", "active_slave"),
        ("miimon=-1", "miimon"),
        ("miimon=1e3", "miimon"),
        ("miimon=\u0661", "miimon"),
        ("miimon=2147483648", "miimon"),
        ("mode=1 mode=4", "mode"),
        ("mode=1 lacp_rate=1", "lacp_rate"),
        ("mode=4 arp_interval=100", "arp_interval"),
        ("mode=0 primary=eth0", "primary"),
        ("mode=1 primary=../eth0", "primary"),
        ("arp_ip_target=192.0.2.1;192.0.2.2", "arp_ip_target"),
        ("arp_ip_target=0.0.0.1", "arp_ip_target"),
        ("arp_ip_target=255.255.255.255", "arp_ip_target"),
        ("arp_ip_target=192.0.2.1,192.0.2.1", "arp_ip_target"),
        ("arp_ip_target=" + ",".join(f"192.0.2.{n}" for n in range(1, 18)), "arp_ip_target"),
        ("ns_ip6_target=fe80::1%eth0", "ns_ip6_target"),
        ("mode=4 ad_actor_system=01:00:5e:00:00:01", "ad_actor_system"),
        ("miimon=100 arp_interval=100", "arp_interval"),
        ("miimon=100 arp_validate=all", "arp_validate"),
        ("mode=1 updelay=100", "updelay"),
        ("mode=4 miimon=0 downdelay=100", "downdelay"),
    ],
)
def test_what_the_kernel_would_refuse_is_refused_by_name(text: str, option: str) -> None:
    with pytest.raises(BadOption) as caught:
        parse(text)
    assert caught.value.option == option


def test_delays_are_rounded_as_the_kernel_rounds_them() -> None:
    assert parse("mode=1 miimon=100 updelay=250")["updelay"] == "200"


def test_modes_that_need_monitoring_have_it_without_asking() -> None:
    assert parse("mode=4 updelay=200")["updelay"] == "200"
    assert bonding.complete({"mode": "4"})["miimon"] == "100"
    assert bonding.complete({"mode": "1"})["miimon"] == "0"


@pytest.mark.parametrize("option", NUMERIC, ids=lambda option: option.name)
def test_an_option_has_its_range_and_its_modes(option: bonding.Option) -> None:
    assert option.low <= int(option.default) <= option.high
    assert all(option.low <= number <= option.high for number in option.names.values())
    for mode in "0123456":
        text = f"mode={mode} {MONITORING.get(option.name, 'miimon=0')} {option.name}={option.high}"
        if mode in option.modes:
            assert option.name in parse(text)
        else:
            with pytest.raises(BadOption):
                parse(text)
    with pytest.raises(BadOption):
        parse(f"mode={min(option.modes)} {option.name}={option.high + 1}")


def test_attributes_are_those_of_if_link_h() -> None:
    numbers = [option.attribute for option in bonding.OPTIONS.values()]
    assert len(set(numbers)) == len(numbers)
    # IFLA_BOND_ACTIVE_SLAVE and IFLA_BOND_AD_INFO are no options.
    assert set(numbers) == set(range(1, 34)) - {bonding.ACTIVE_SLAVE_ATTRIBUTE, 23}


def test_a_complete_set_has_what_the_mode_takes_and_the_kernel_knows() -> None:
    values = bonding.complete({"mode": "4", "miimon": "150"}, known={"lacp_rate", "miimon"})
    assert values == {"mode": "4", "miimon": "150", "lacp_rate": "0"}


def test_a_complete_set_with_arp_has_no_miimon_and_no_delays() -> None:
    values = bonding.complete(parse("mode=1 arp_interval=100 arp_ip_target=192.0.2.1"))
    assert values["miimon"] == "0"
    assert not values.keys() & {"updelay", "downdelay", "peer_notif_delay"}
    assert parse(render(values)) == values


def test_only_what_differs_is_set() -> None:
    current = bonding.complete({"mode": "1", "miimon": "100"})
    assert bonding.changes(current, {"mode": "1", "miimon": "100", "min_links": "1"}) == {
        "min_links": "1"
    }
    assert bonding.changes(current, current) == {}


def test_a_new_mode_sets_all_again_and_comes_first() -> None:
    wanted = {"lacp_rate": "1", "miimon": "100", "mode": "4"}
    assert list(bonding.changes({"mode": "1", "miimon": "100"}, wanted)) == [
        "mode",
        "miimon",
        "lacp_rate",
    ]


def test_a_new_miimon_sets_the_delays_again() -> None:
    current = {"mode": "1", "miimon": "100", "updelay": "200"}
    assert bonding.changes(current, {"mode": "1", "miimon": "200", "updelay": "200"}) == {
        "miimon": "200",
        "updelay": "200",
    }


def test_what_needs_the_bond_down_or_without_ports() -> None:
    assert bonding.needs_down(["miimon", "lacp_rate"])
    assert not bonding.needs_down(["miimon", "active_slave"])
    assert bonding.needs_no_ports(["fail_over_mac"])
    assert not bonding.needs_no_ports(["lacp_rate"])


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ("mode=active-backup fail_over_mac=active", True),
        ("mode=active-backup fail_over_mac=follow", True),
        ("mode=active-backup fail_over_mac=none", False),
        ("mode=active-backup", False),
        ("mode=802.3ad fail_over_mac=active", False),
        ("fail_over_mac=active", False),
    ],
)
def test_only_in_active_backup_does_fail_over_mac_choose_a_bonds_hardware_address(
    options: str, found: bool
) -> None:
    assert bonding.has_active_ports_hwaddr(bonding.parse(options)) is found


def options_text() -> st.SearchStrategy[str]:
    names = st.sampled_from([*bonding.OPTIONS, *bonding.ALIASES, "x"])
    values = st.one_of(
        st.integers(-1, 70000).map(str), st.sampled_from(["fast", "on", "192.0.2.1", "eth0", ""])
    )
    words = st.tuples(names, values).map("=".join)
    return st.lists(words, max_size=4).map(" ".join)


@given(st.one_of(st.text(), options_text()))
def test_any_text_is_options_or_is_refused(text: str) -> None:
    try:
        values = parse(text)
    except BadOption:
        return
    assert next(iter(values)) == "mode"
    assert parse(render(values)) == values
    full = bonding.complete(values)
    assert parse(render(full)) == full
    left_out = values.items() - full.items()
    assert left_out <= {("updelay", "0"), ("downdelay", "0"), ("peer_notif_delay", "0")}
    assert bonding.changes(full, full) == {}
