# SPDX-License-Identifier: GPL-2.0-or-later
"""A host's capabilities with any number of NICs: the same value for us and for all peers."""

import msgspec

from vdsm_contract.types import NetworkCapabilities, Nic


def capabilities(count: int) -> NetworkCapabilities:
    """Return what NetworkCaps says of a host with `count` NICs, each with two addresses."""
    return NetworkCapabilities(
        networks={},
        bondings={},
        bridges={},
        nics={f"nic{number}": _nic(number) for number in range(count)},
        vlans={},
        nameservers=["192.0.2.53", "2001:db8::53"],
        supportsIPv6=True,
    )


def as_dicts(count: int) -> dict[str, object]:
    """Return the same as plain objects, as the peers' verbs return it."""
    value: dict[str, object] = msgspec.to_builtins(capabilities(count))
    return value


def _nic(number: int) -> Nic:
    high, low = divmod(number, 256)
    address = f"10.{high}.{low}.1"
    mac = f"02:00:00:00:{high:02x}:{low:02x}"
    return Nic(
        addr=address,
        netmask="255.255.255.0",
        ipv4addrs=[f"{address}/24"],
        ipv6addrs=[f"2001:db8:{number:x}::1/64"],
        ipv6autoconf=True,
        gateway="",
        ipv6gateway="::",
        ipv4defaultroute=False,
        mtu="1500",
        dhcpv4=False,
        dhcpv6=False,
        hwaddr=mac,
        speed=25000,
        permhwaddr=mac,
    )
