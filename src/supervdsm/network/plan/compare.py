# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether something is as it is wanted, where that is not plain equality. No I/O."""

from collections.abc import Mapping
from typing import Final

from msgspec import UNSET

from supervdsm.network.plan.state import Address, Ipv6, Route
from vdsm_contract.types import DeviceQos, QosClass, QosCurve

LEARNED: Final = frozenset({9, 16})
"""RTPROT_RA and RTPROT_DHCP: routes of the kernel's and of a client's own."""
_IPV6_METRIC: Final = 1024
"""IP6_RT_PRIO_USER: what the kernel makes of metric 0."""

RouteKey = tuple[str, str, str, int, int, str, bool]
AddressKey = tuple[str, bool]


def route_key(route: Route) -> RouteKey:
    """Return what tells a route from another one."""
    metric = route.metric or (_IPV6_METRIC if route.version == 6 else 0)
    return (
        route.device,
        route.destination,
        route.gateway,
        route.table,
        metric,
        route.source,
        route.onlink,
    )


def address_key(address: Address) -> AddressKey:
    """Return what tells an address from another one: a lease is not the same as one for ever."""
    return (address.cidr, address.lifetime > 0)


def same_ipv6(found: Ipv6 | None, wanted: Ipv6) -> bool:
    """Compare settings; where IPv6 is off, the others have no effect."""
    if found is None or found.disabled != wanted.disabled:
        return False
    return wanted.disabled or found == wanted


def other_options(found: Mapping[str, str] | None, wanted: Mapping[str, str]) -> dict[str, str]:
    """Return the options of a bridge that are not as wanted, in the order of `wanted`.

    `flush` is a deed, not a state: it is left out, as a bridge that was just made has nothing to
    forget. What cannot be read is set.
    """
    known = found or {}
    return {
        name: value
        for name, value in wanted.items()
        if name != "flush" and (name not in known or _number(known[name]) != _number(value))
    }


def same_qos(found: tuple[DeviceQos, ...] | None, wanted: tuple[DeviceQos, ...]) -> bool:
    """Compare classes. The kernel computes with rates in a form of its own, and rounds."""
    by_vlan = {one.vlan: one.hostQos.out for one in found or ()}
    return by_vlan.keys() == {one.vlan for one in wanted} and all(
        _same_class(by_vlan[one.vlan], one.hostQos.out) for one in wanted
    )


def _number(value: str) -> int | str:
    try:
        return int(value, 0)
    except ValueError:
        return value.lower()


def _same_class(found: QosClass, wanted: QosClass) -> bool:
    pairs = ((found.ls, wanted.ls), (found.ul, wanted.ul), (found.rt, wanted.rt))
    return all(
        one is other
        if one is UNSET or other is UNSET
        else isinstance(one, QosCurve) and isinstance(other, QosCurve) and _same_curve(one, other)
        for one, other in pairs
    )


def _same_curve(found: QosCurve, wanted: QosCurve) -> bool:
    # Without a first segment its rate means nothing.
    first = wanted.d == 0 or _close(found.m1, wanted.m1)
    return first and _close(found.m2, wanted.m2) and _close(found.d, wanted.d)


def _close(found: int, wanted: int) -> bool:
    # 8: rates are in whole bytes. A thousandth: sm2m() and dx2d() of net/sched/sch_hfsc.c.
    return abs(found - wanted) <= 8 + wanted // 1000
