# SPDX-License-Identifier: GPL-2.0-or-later
"""`custom.bridge_opts`."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervdsm.network import bridging
from supervdsm.network.request import bridge_opts
from supervdsm.network.request.bridge_opts import BadBridgeOption, parse, render


def test_options_are_sorted_and_decimal() -> None:
    text = (
        "multicast_snooping=0  group_fwd_mask=0x4008 group_addr=1:80:C2:0:0:f vlan_protocol=0x88a8"
    )
    assert parse(text) == {
        "group_addr": "01:80:c2:00:00:0f",
        "group_fwd_mask": "16392",
        "multicast_snooping": "0",
        "vlan_protocol": "34984",
    }
    assert list(parse(text)) == sorted(parse(text))


def test_what_the_kernel_ignores_is_left_out() -> None:
    assert parse("hash_elasticity=16") == {}


def test_all_that_can_be_set_can_be_asked_for() -> None:
    known = {*bridging.OPTIONS, "no_linklocal_learn"} - {"hash_elasticity"}
    assert set(bridge_opts._RANGES) == known


@pytest.mark.parametrize(
    "word",
    [
        "forward_delay",
        "forward_delay=",
        "forward_delay=-1",
        "forward_delay=1",
        "forward_delay=1e3",
        "gc_timer=1",
        "flush=1",
        "bridge_id=1",
        "../../eth0/mtu=1500",
        "/etc/passwd=1",
        "..=1",
        "multicast_router=3",
        "multicast_snooping=2",
        "group_fwd_mask=1",
        "group_addr=01:80:c2:00:00:01",
        "group_addr=01:80:c2:00:00:10",
        "group_addr=02:80:c2:00:00:00",
        "vlan_protocol=0x0800",
        "priority=65536",
        "ageing_time=\u0661",
    ],
)
def test_what_the_kernel_would_refuse_is_refused_by_word(word: str) -> None:
    with pytest.raises(BadBridgeOption) as caught:
        parse(f"multicast_querier=1 {word}")
    assert caught.value.word == word


def test_two_values_for_one_option_are_refused() -> None:
    with pytest.raises(BadBridgeOption):
        parse("multicast_querier=1 multicast_querier=0")
    assert parse("multicast_querier=1 multicast_querier=0x1") == {"multicast_querier": "1"}


@given(
    st.one_of(
        st.text(),
        st.lists(
            st.tuples(st.sampled_from([*bridge_opts._RANGES]), st.integers(0, 70000)).map(
                lambda pair: f"{pair[0]}={pair[1]}"
            ),
            max_size=3,
        ).map(" ".join),
    )
)
def test_any_text_is_options_or_is_refused(text: str) -> None:
    try:
        found = parse(text)
    except BadBridgeOption:
        return
    assert parse(render(found)) == found
