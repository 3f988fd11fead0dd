# SPDX-License-Identifier: GPL-2.0-or-later
"""What counts as the same."""

import pytest

from supervdsm.network.plan.compare import (
    address_key,
    other_options,
    route_key,
    same_ipv6,
    same_qos,
)
from supervdsm.network.plan.state import Address, Ipv6, Route
from vdsm_contract.types import DeviceQos, HostQos, QosClass, QosCurve

OFF = Ipv6(disabled=True, accept_ra=1, autoconf=True)
DEFAULT6 = Route(device="eth0", destination="::/0", gateway="fe80::1")


def test_where_ipv6_is_off_its_other_settings_do_not_matter() -> None:
    assert same_ipv6(OFF, Ipv6(disabled=True, accept_ra=0, autoconf=False))
    assert not same_ipv6(OFF, Ipv6(disabled=False, accept_ra=1, autoconf=True))
    assert not same_ipv6(None, OFF)
    on = Ipv6(disabled=False, accept_ra=2, autoconf=True)
    assert not same_ipv6(on, Ipv6(disabled=False, accept_ra=2, autoconf=True, defrtr=False))


@pytest.mark.parametrize(
    ("found", "wanted"),
    [("0x4000", "16384"), ("1500", "1500"), ("01:80:C2:00:00:00", "01:80:c2:00:00:00")],
)
def test_an_option_is_the_same_however_it_is_written(found: str, wanted: str) -> None:
    assert other_options({"group_fwd_mask": found}, {"group_fwd_mask": wanted}) == {}


def test_options_keep_their_order_and_a_deed_is_no_state() -> None:
    wanted = {"stp_state": "1", "flush": "1", "unread": "5", "ageing_time": "100"}
    assert list(other_options({"stp_state": "0", "ageing_time": "30000"}, wanted)) == [
        "stp_state",
        "unread",
        "ageing_time",
    ]


def test_no_metric_of_ipv6_is_1024_and_who_made_a_route_does_not_matter() -> None:
    same = Route(device="eth0", destination="::/0", gateway="fe80::1", metric=1024, protocol=9)
    assert route_key(DEFAULT6) == route_key(same)
    four = Route(device="eth0", destination="0.0.0.0/0", gateway="192.0.2.1")
    assert route_key(four) != route_key(
        Route(device="eth0", destination="0.0.0.0/0", gateway="192.0.2.1", metric=1024)
    )


def test_a_lease_is_not_an_address_for_ever_but_its_age_does_not_matter() -> None:
    lease = Address("192.0.2.1/24", lifetime=3600)
    assert address_key(lease) == address_key(Address("192.0.2.1/24", lifetime=10))
    assert address_key(lease) != address_key(Address("192.0.2.1/24"))


def test_traffic_shaping_is_compared_with_what_the_kernel_makes_of_it() -> None:
    def qos(limit: int) -> tuple[DeviceQos, ...]:
        out = QosClass(ls=QosCurve(m2=50), ul=QosCurve(m2=limit))
        return (DeviceQos(hostQos=HostQos(out=out), vlan=5),)

    assert same_qos(qos(1_000_000), qos(1_000_007))
    assert not same_qos(qos(1_000_000), qos(2_000_000))
    assert not same_qos(None, qos(1_000_000))
    assert same_qos(None, ())
