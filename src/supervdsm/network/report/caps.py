# SPDX-License-Identifier: GPL-2.0-or-later
"""Network capabilities: a snapshot of the kernel in oVirt's words. No I/O.

Shapes: upstream-vdsm 3.7.
"""

from collections.abc import Iterable
from typing import Final, Literal

from msgspec import UNSET, UnsetType

from supervdsm.network import qos
from supervdsm.network.config import Network
from supervdsm.network.kernel.devices import NicPatterns, Role
from supervdsm.network.kernel.model import Link, Snapshot
from supervdsm.network.report import bonds
from supervdsm.network.report.addressing import AddressBook
from supervdsm.network.report.view import View
from vdsm_contract.types import (
    Bond,
    Bridge,
    DeviceQos,
    HostQos,
    NetworkCapabilities,
    NetworkInfo,
    Nic,
    Vlan,
)

_LEGACY_SWITCH: Final = "legacy"
"""Networks of the kernel's own bridges, bonds and VLANs, as opposed to Open vSwitch's."""
_NO_STP: Final = "0"


def capabilities(
    snapshot: Snapshot,
    networks: Iterable[Network],
    *,
    nameservers: list[str],
    supports_ipv6: bool,
    patterns: NicPatterns,
) -> NetworkCapabilities:
    """Say what the host's network is. A network whose device does not exist is left out."""
    view = View(snapshot, patterns)
    book = AddressBook.of(snapshot)
    return NetworkCapabilities(
        networks={
            network.name: info
            for network in networks
            if (info := _network(view, book, network)) is not None
        },
        bondings={link.name: _bond(view, book, link) for link in view.shown(Role.BOND)},
        bridges={link.name: _bridge(view, book, link) for link in view.shown(Role.BRIDGE)},
        nics={link.name: _nic(view, book, link) for link in view.shown(Role.NIC)},
        vlans={
            link.name: _vlan(book, link, lower)
            for link in view.shown(Role.VLAN)
            if (lower := view.by_index.get(link.lower)) is not None
        },
        nameservers=nameservers,
        supportsIPv6=supports_ipv6,
    )


def _nic(view: View, book: AddressBook, link: Link) -> Nic:
    port = link.port
    return Nic(
        **book.common(link),
        hwaddr=link.hwaddr,
        speed=view.speed(link),
        permhwaddr=port.permhwaddr if port and port.permhwaddr else UNSET,
        ad_aggregator_id=UNSET if port is None or port.aggregator is None else str(port.aggregator),
        qos=_qos(view, link),
    )


def _bond(view: View, book: AddressBook, link: Link) -> Bond:
    raw = view.bond_options(link)
    return Bond(
        **book.common(link),
        hwaddr=link.hwaddr,
        slaves=view.ports(link),
        active_slave=raw.get("active_slave", ""),
        opts=bonds.options(raw),
        switch=_LEGACY_SWITCH,
        speed=view.speed(link),
        # Both are empty unless the bond is 802.3ad.
        ad_aggregator_id=raw.get("ad_aggregator") or UNSET,
        ad_partner_mac=raw.get("ad_partner_mac") or UNSET,
        qos=_qos(view, link),
    )


def _bridge(view: View, book: AddressBook, link: Link) -> Bridge:
    return Bridge(
        **book.common(link),
        ports=view.ports(link),
        stp=_stp(link),
        opts=dict(link.options),
    )


def _stp(bridge: Link) -> Literal["on", "off"]:
    return "off" if bridge.options.get("stp_state", _NO_STP) == _NO_STP else "on"


def _vlan(book: AddressBook, link: Link, lower: Link) -> Vlan:
    return Vlan(**book.common(link), iface=lower.name, vlanid=link.vlanid)


def _network(view: View, book: AddressBook, network: Network) -> NetworkInfo | None:
    link = view.by_name.get(network.iface)
    if link is None:
        return None
    bridge = link if network.bridged and view.roles.get(link.index) is Role.BRIDGE else None
    if network.bridged and bridge is None:
        # Something else took the bridge's name.
        return None
    return NetworkInfo(
        **book.common(link),
        iface=network.iface,
        bridged=network.bridged,
        southbound=network.southbound,
        switch=network.switch,
        vlanid=UNSET if network.vlan is None else network.vlan,
        hostQos=_network_qos(view, network),
        ports=view.ports(bridge) if bridge else UNSET,
        stp=_stp(bridge) if bridge else UNSET,
        interface=UNSET if bridge else network.iface,
    )


def _qos(view: View, link: Link) -> list[DeviceQos] | UnsetType:
    found = view.snapshot.qos.get(link.index)
    return list(found) if found else UNSET


def _network_qos(view: View, network: Network) -> HostQos | UnsetType:
    """Return the QoS of the network's class on its NIC or bond."""
    base = view.by_name.get(network.base)
    vlan = qos.NO_VLAN if network.vlan is None else network.vlan
    for found in view.snapshot.qos.get(base.index, ()) if base else ():
        if found.vlan == vlan:
            return found.hostQos
    return UNSET
