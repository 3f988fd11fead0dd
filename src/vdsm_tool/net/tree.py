# SPDX-License-Identifier: GPL-2.0-or-later
"""Networks as trees: a network, its bridge, the VLAN below, the bond below that, and its NICs.

Made of what supervdsm answers to NetworkCaps and NetworkStats. No I/O.
"""

from collections.abc import Iterable
from typing import Literal

from msgspec import UNSET, Struct

from vdsm_contract.types import (
    Addressing,
    HostQos,
    NetworkCapabilities,
    NetworkInfo,
    NetworkStatistics,
)

Kind = Literal["bridge", "vlan", "bond", "nic", "other"]


class Addresses(Struct, frozen=True, rename="camel"):
    """The addresses of a network or device, and where they come from."""

    ipv4: list[str]
    """CIDR notation."""
    ipv6: list[str]
    gateway: str
    ipv6gateway: str
    """Both empty when there is none."""
    default_route: bool
    """Of IPv4."""
    dhcpv4: bool
    dhcpv6: bool
    autoconf: bool


class Device(Struct, frozen=True, rename="camel"):
    """A device with those below it. `detail` is what its kind has to say, such as a bond's
    options."""

    name: str
    kind: Kind
    state: Literal["up", "down", "unknown"]
    mtu: str
    detail: dict[str, str]
    addresses: Addresses | None
    """None when it has none of its own, or its network shows them."""
    lower: list["Device"]


class NetworkTree(Struct, frozen=True, rename="camel"):
    """A network and the devices that it is made of."""

    name: str
    bridged: bool
    mtu: str
    addresses: Addresses
    qos: HostQos | None
    device: Device
    """The topmost one."""


class Forest(Struct, frozen=True, rename="camel"):
    """All networks, and the devices that belong to none."""

    networks: list[NetworkTree]
    others: list[Device]


def forest(caps: NetworkCapabilities, stats: NetworkStatistics) -> Forest:
    """Arrange the answers of supervdsm."""
    builder = _Builder(caps, stats)
    networks = [builder.network(name, info) for name, info in sorted(caps.networks.items())]
    return Forest(networks, builder.others())


class _Builder:
    def __init__(self, caps: NetworkCapabilities, stats: NetworkStatistics) -> None:
        self._caps = caps
        self._states = {name: one.state for name, one in stats.network.items()}
        self._shown: set[str] = set()

    def network(self, name: str, info: NetworkInfo) -> NetworkTree:
        return NetworkTree(
            name=name,
            bridged=info.bridged,
            mtu=info.mtu,
            addresses=_addresses(info),
            qos=None if info.hostQos is UNSET else info.hostQos,
            device=self.device(info.iface, own_addresses=False),
        )

    def others(self) -> list[Device]:
        """The devices that no network has shown, each below the one that it is part of."""
        caps = self._caps
        names = [*caps.bridges, *caps.vlans, *caps.bondings, *caps.nics]
        rest = [name for name in names if name not in self._shown]
        parts = {lower for name in rest for lower in self._lower(name)}
        return [self.device(name) for name in rest if name not in parts]

    def device(
        self, name: str, *, own_addresses: bool = True, above: frozenset[str] = frozenset()
    ) -> Device:
        """`above` are the devices on the way down to this one: the kernel makes no circles, but two
        answers of two moments might."""
        self._shown.add(name)
        kind, found = self._find(name)
        path = above | {name}
        return Device(
            name=name,
            kind=kind,
            state=self._states.get(name, "unknown"),
            mtu=found.mtu if found else "",
            detail=self._detail(name, kind),
            addresses=_addresses(found) if found and own_addresses and _has(found) else None,
            lower=[self.device(low, above=path) for low in self._lower(name) if low not in path],
        )

    def _find(self, name: str) -> tuple[Kind, Addressing | None]:
        caps = self._caps
        if name in caps.bridges:
            return "bridge", caps.bridges[name]
        if name in caps.vlans:
            return "vlan", caps.vlans[name]
        if name in caps.bondings:
            return "bond", caps.bondings[name]
        if name in caps.nics:
            return "nic", caps.nics[name]
        return "other", None

    def _lower(self, name: str) -> Iterable[str]:
        caps = self._caps
        if name in caps.bridges:
            return sorted(caps.bridges[name].ports)
        if name in caps.vlans:
            return [caps.vlans[name].iface]
        if name in caps.bondings:
            return sorted(caps.bondings[name].slaves)
        return ()

    def _detail(self, name: str, kind: Kind) -> dict[str, str]:
        caps = self._caps
        match kind:
            case "bridge":
                return {"stp": caps.bridges[name].stp}
            case "vlan":
                return {"id": str(caps.vlans[name].vlanid)}
            case "bond":
                bond = caps.bondings[name]
                active = {"active": bond.active_slave} if bond.active_slave else {}
                return {**dict(sorted(bond.opts.items())), **active}
            case "nic":
                nic = caps.nics[name]
                speed = {"speed": f"{nic.speed} Mbit/s"} if nic.speed else {}
                return {"hwaddr": nic.hwaddr, **speed}
            case "other":
                return {}


def _addresses(one: Addressing) -> Addresses:
    return Addresses(
        ipv4=one.ipv4addrs,
        ipv6=one.ipv6addrs,
        gateway=one.gateway,
        ipv6gateway="" if one.ipv6gateway == "::" else one.ipv6gateway,
        default_route=one.ipv4defaultroute,
        dhcpv4=one.dhcpv4,
        dhcpv6=one.dhcpv6,
        autoconf=one.ipv6autoconf,
    )


def _has(one: Addressing) -> bool:
    return bool(one.ipv4addrs or one.ipv6addrs or one.dhcpv4 or one.dhcpv6)
