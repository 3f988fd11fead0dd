# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether something is as it is wanted, where that is not plain equality. No I/O."""

from collections.abc import Mapping
from typing import Final

from supervdsm.network import bridging
from supervdsm.network.plan.state import Address, Ipv6, Route
from supervdsm.network.qos import as_kernel_has_it
from vdsm_contract.types import DeviceQos

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
        if name != "flush" and (name not in known or _differ(name, known[name], value))
    }


def same_qos(found: tuple[DeviceQos, ...] | None, wanted: tuple[DeviceQos, ...]) -> bool:
    """Compare traffic shaping with what the kernel makes of it."""
    return (found or ()) == as_kernel_has_it(wanted)


def _differ(name: str, found: str, wanted: str) -> bool:
    is_, shall = _number(found), _number(wanted)
    option = bridging.OPTIONS.get(name)
    if option is not None and option.time and isinstance(is_, int) and isinstance(shall, int):
        return not shall - 1 <= is_ <= shall
    return is_ != shall


def _number(value: str) -> int | str:
    try:
        return int(value, 0)
    except ValueError:
        return value.lower()
