# SPDX-License-Identifier: GPL-2.0-or-later
"""Whatever is sent, the answer is a configuration or a refusal; and what came out goes in again."""

import json

from hypothesis import given
from hypothesis import strategies as st

from supervdsm.network import bonding
from supervdsm.network.config import Configuration
from supervdsm.network.request import bridge_opts
from supervdsm.network.request.attributes import attributes, bond_attributes, bond_of, network_of
from supervdsm.network.request.options import parse
from unit.supervdsm.network.request.hosts import ask
from vdsm_contract.errors import NetworkConfigError

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.just(10**4000),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(["true", "100", "yes", "::", "192.0.2.1", "2001:db8::1/64", "eth0", "bond0"]),
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=5,
)

ADDRESSES = st.sampled_from(["192.0.2.1", "192.0.2.2", "198.51.100.1", "192.0.2.254"])
CURVES = st.fixed_dictionaries({"m2": st.integers(0, 10**9)})
OPTIONS = st.lists(
    st.tuples(
        st.sampled_from([*bonding.OPTIONS]), st.sampled_from(["0", "1", "100", "eth0", "fast"])
    ).map("=".join),
    max_size=2,
).map(" ".join)
BRIDGE_OPTS = st.lists(
    st.tuples(st.sampled_from([*bridge_opts._RANGES]), st.integers(0, 2000).map(str)).map("=".join),
    max_size=2,
).map(" ".join)

NETWORKS = st.fixed_dictionaries(
    {},
    optional={
        "nic": st.sampled_from(["eth0", "eth1", "eth6", "eth8", "eth99"]),
        "bonding": st.sampled_from(["bond0", "bond9", "bond5"]),
        "vlan": st.one_of(st.integers(0, 5), st.sampled_from(["5", "", 4095])),
        "bridged": st.sampled_from([True, False, "true", "false"]),
        "mtu": st.sampled_from([1500, "9000", 1000]),
        "stp": st.sampled_from(["yes", False]),
        "STP": st.sampled_from(["on", None]),
        "defaultRoute": st.booleans(),
        "bootproto": st.sampled_from(["none", "dhcp"]),
        "ipaddr": ADDRESSES,
        "netmask": st.sampled_from(["255.255.255.0", "24"]),
        "prefix": st.sampled_from([24, "32"]),
        "gateway": ADDRESSES,
        "ipv6addr": st.sampled_from(["2001:db8::1/64", "2001:DB8::2"]),
        "ipv6gateway": st.sampled_from(["::", "fe80::1"]),
        "dhcpv6": st.booleans(),
        "ipv6autoconf": st.booleans(),
        "nameservers": st.lists(ADDRESSES, max_size=2),
        "hostQos": st.fixed_dictionaries({"out": st.fixed_dictionaries({"ls": CURVES})}),
        "custom": st.fixed_dictionaries({}, optional={"bridge_opts": BRIDGE_OPTS, "x": st.text()}),
        "remove": st.sampled_from([False, True]),
        "blockingdhcp": st.booleans(),
    },
)
BONDS = st.fixed_dictionaries(
    {"nics": st.lists(st.sampled_from(["eth0", "eth1", "eth2"]), unique=True, max_size=2)},
    optional={
        "options": OPTIONS,
        "hwaddr": st.just("02:00:00:00:00:0A"),
        "remove": st.sampled_from([False, "true"]),
    },
)


def maybe_mutated(attributes: st.SearchStrategy[dict[str, object]]) -> st.SearchStrategy[object]:
    """Attributes as they should be, and with one that is anything."""
    keys = st.sampled_from(["nic", "vlan", "mtu", "ipaddr", "custom", "hostQos", "nics", "options"])
    spoilt = st.tuples(attributes, keys, JSON).map(lambda three: three[0] | {three[1]: three[2]})
    return st.one_of(attributes, spoilt, JSON)


NAMES = st.one_of(st.sampled_from(["a", "b", "c", "bond0", "eth0"]), st.text(max_size=20))
BOND_NAMES = st.one_of(st.sampled_from(["bond0", "bond1", "bond9"]), st.text(max_size=20))
ANY = st.tuples(
    st.one_of(JSON, st.dictionaries(NAMES, maybe_mutated(NETWORKS), max_size=3)),
    st.one_of(JSON, st.dictionaries(BOND_NAMES, maybe_mutated(BONDS), max_size=2)),
)
GOOD = st.tuples(
    st.dictionaries(st.sampled_from(["a", "b", "c"]), NETWORKS, max_size=3),
    st.dictionaries(st.sampled_from(["bond0", "bond1", "bond9"]), BONDS, max_size=2),
)


def check_refusal(error: NetworkConfigError, *first: str) -> None:
    assert error.errCode in {21, 22, 23, 24, 25, 26, 27, 31}
    assert error.field.split(".", 1)[0] in first
    assert len(str(error)) < 2000
    assert str(error).isascii()
    assert str(error).isprintable()


@given(ANY, GOOD)
def test_any_json_is_a_configuration_or_refused(
    request: tuple[object, object], before: tuple[object, object]
) -> None:
    running = Configuration()
    for networks, bondings in (before, request):
        try:
            running = ask(networks, bondings, running)
        except NetworkConfigError as error:
            check_refusal(error, "networks", "bondings")


@given(GOOD)
def test_what_came_out_goes_in_again(request: tuple[object, object]) -> None:
    try:
        new = ask(*request)
    except NetworkConfigError:
        return
    networks = {name: attributes(network) for name, network in new.networks.items()}
    bonds = {name: bond_attributes(bond) for name, bond in new.bonds.items()}
    text = json.dumps([networks, bonds])
    assert ask(*json.loads(text)) == Configuration(networks=new.networks, bonds=new.bonds)
    for name, network in new.networks.items():
        assert network_of(name, json.loads(text)[0][name]) == (network, ())
    for name, bond in new.bonds.items():
        assert bond_of(name, json.loads(text)[1][name]) == (bond, ())


@given(JSON)
def test_any_json_is_options_or_refused(raw: object) -> None:
    try:
        options = parse(raw)  # type: ignore[arg-type]
    except NetworkConfigError as error:
        check_refusal(error, "options")
    else:
        assert 0 <= options.timeout <= 600
