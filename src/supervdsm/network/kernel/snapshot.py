# SPDX-License-Identifier: GPL-2.0-or-later
"""Read the host's network: the only place that joins netlink and sysfs.

A device that vanishes between the two is left out of the snapshot.
"""

import msgspec

from supervdsm.network.kernel import netlink
from supervdsm.network.kernel.cache import Cache
from supervdsm.network.kernel.devices import NicPatterns, Role, roles
from supervdsm.network.kernel.model import Link, Snapshot
from supervdsm.network.kernel.sysfs import ClassNet, DeviceVanished
from supervdsm.network.qos import device_qos


def take(cache: Cache, files: ClassNet, patterns: NicPatterns) -> Snapshot:
    """Read all that capabilities need. Raises NetlinkFailed."""
    snapshot = cache.snapshot()
    with netlink.connected() as kernel:
        shaped = {
            link.index: device_qos(classes)
            for link in snapshot.links
            if (classes := kernel.hfsc_classes(link))
        }
    qos = {index: found for index, found in shaped.items() if found}
    return _with_speeds(msgspec.structs.replace(snapshot, qos=qos), files, patterns)


def take_counters(cache: Cache, files: ClassNet, patterns: NicPatterns) -> Snapshot:
    """Read all that statistics need. Raises NetlinkFailed."""
    links = cache.devices()
    with netlink.connected() as kernel:
        counters = kernel.counters()
    there = tuple(link for link in links if link.index in counters)
    return _with_speeds(Snapshot(links=there, counters=counters), files, patterns)


def _with_speeds(snapshot: Snapshot, files: ClassNet, patterns: NicPatterns) -> Snapshot:
    """Add what only sysfs tells of NICs and the ports of bonds."""
    shown = roles(snapshot.links, patterns)
    links: list[Link] = []
    speeds: dict[int, int] = {}
    duplex: dict[int, str] = {}
    for link in snapshot.links:
        nic = shown.get(link.index) is Role.NIC or shown.get(link.master) is Role.BOND
        if link.up and nic:
            try:
                speeds[link.index] = files.speed(link.name)
                duplex[link.index] = files.duplex(link.name)
            except DeviceVanished:
                continue
        links.append(link)
    return msgspec.structs.replace(snapshot, links=tuple(links), speeds=speeds, duplex=duplex)
