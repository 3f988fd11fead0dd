# SPDX-License-Identifier: GPL-2.0-or-later
"""Which of the host's devices owns an address, as network_caps tells it."""

from __future__ import annotations

from ipaddress import ip_address, ip_interface
from itertools import chain

from vdsm_contract.types import Addressing, NetworkCapabilities


def device_of(address: str, caps: NetworkCapabilities) -> str:
    """The name of the device with `address` (IPv4 or IPv6, maybe with a %scope); "" if none.

    The loopback device is not among the capabilities, and needs no lookup.
    """
    host, _, scope = address.partition("%")
    try:
        wanted = ip_address(host)
    except ValueError:
        return ""
    if wanted.is_loopback:
        return "lo"
    if scope and not scope.isdigit():
        return scope
    devices: chain[tuple[str, Addressing]] = chain(
        # An address sits on the topmost device: a bridge, before what is below it.
        caps.bridges.items(),
        caps.vlans.items(),
        caps.bondings.items(),
        caps.nics.items(),
    )
    for name, device in devices:
        if any(ip_interface(a).ip == wanted for a in (*device.ipv4addrs, *device.ipv6addrs)):
            return name
    return ""
