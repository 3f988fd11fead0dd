# SPDX-License-Identifier: GPL-2.0-or-later
"""Read the host's network: the only place that joins netlink and sysfs.

A device that vanishes between the two is left out of the snapshot.
"""

from dataclasses import replace
from pathlib import Path

from supervdsm.network import qos
from supervdsm.network.kernel import decode, netlink
from supervdsm.network.kernel.devices import NicPatterns, Role, roles
from supervdsm.network.kernel.model import Link, Snapshot
from supervdsm.network.kernel.sysfs import ClassNet, DeviceVanished


def take(sysfs: Path, patterns: NicPatterns) -> Snapshot:
    """Read all that capabilities need. Raises NetlinkFailed."""
    with netlink.connected() as kernel:
        links = tuple(decode.link(message) for message in kernel.links())
        addresses = kernel.addresses()
        routes = kernel.default_routes()
        shaped = {
            link.index: qos.device_qos(kernel.hfsc_classes(link))
            for link in links
            if link.qdisc == "hfsc"
        }
    snapshot = Snapshot(
        links=links,
        addresses=addresses,
        routes=routes,
        qos={index: found for index, found in shaped.items() if found},
    )
    files = ClassNet(sysfs)
    return _with_bridges(_with_speeds(snapshot, files, patterns), files)


def take_counters(sysfs: Path, patterns: NicPatterns) -> Snapshot:
    """Read all that statistics need. Raises NetlinkFailed."""
    with netlink.connected() as kernel:
        links = tuple(
            replace(decode.link(message), counters=decode.counters(message))
            for message in kernel.links()
        )
    return _with_speeds(Snapshot(links=links), ClassNet(sysfs), patterns)


def _with_speeds(snapshot: Snapshot, files: ClassNet, patterns: NicPatterns) -> Snapshot:
    """Add what only sysfs tells of NICs and bonds."""
    shown = roles(snapshot.links, patterns)
    ports = {link.index for link in snapshot.links if shown.get(link.master) is Role.BOND}
    links: list[Link] = []
    speeds: dict[int, int] = {}
    duplex: dict[int, str] = {}
    options: dict[int, dict[str, str]] = {}
    for link in snapshot.links:
        role = shown.get(link.index)
        try:
            if link.up and (role is Role.NIC or link.index in ports):
                speeds[link.index] = files.speed(link.name)
                duplex[link.index] = files.duplex(link.name)
            if role is Role.BOND:
                options[link.index] = files.options(link.name, "bonding")
        except DeviceVanished:
            continue
        links.append(link)
    return replace(snapshot, links=tuple(links), speeds=speeds, duplex=duplex, bond_options=options)


def _with_bridges(snapshot: Snapshot, files: ClassNet) -> Snapshot:
    """Add the options of bridges."""
    links: list[Link] = []
    options: dict[int, dict[str, str]] = {}
    for link in snapshot.links:
        try:
            if link.kind == "bridge":
                options[link.index] = files.options(link.name, "bridge")
        except DeviceVanished:
            continue
        links.append(link)
    return replace(snapshot, links=tuple(links), bridge_options=options)
