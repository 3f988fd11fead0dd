# SPDX-License-Identifier: GPL-2.0-or-later
"""Read the host's network: what the cache knows, and what must be asked each time."""

import msgspec

from supervdsm.network.kernel import ethtool, netlink
from supervdsm.network.kernel.cache import Cache
from supervdsm.network.kernel.devices import NicPatterns, Role, roles
from supervdsm.network.kernel.model import Snapshot
from supervdsm.network.qos import device_qos


def take(cache: Cache, patterns: NicPatterns) -> Snapshot:
    """Read all that capabilities need. Raises NetlinkFailed."""
    snapshot = cache.snapshot()
    with netlink.connected() as kernel:
        shaped = {
            link.index: device_qos(classes)
            for link in snapshot.links
            if (classes := kernel.hfsc_classes(link))
        }
    qos = {index: found for index, found in shaped.items() if found}
    return _with_speeds(msgspec.structs.replace(snapshot, qos=qos), patterns)


def take_counters(cache: Cache, patterns: NicPatterns) -> Snapshot:
    """Read all that statistics need. Raises NetlinkFailed."""
    links = cache.devices()
    with netlink.connected() as kernel:
        counters = kernel.counters()
    there = tuple(link for link in links if link.index in counters)
    return _with_speeds(Snapshot(links=there, counters=counters), patterns)


def _with_speeds(snapshot: Snapshot, patterns: NicPatterns) -> Snapshot:
    """Add the speed and duplex of NICs and of the ports of bonds, as far as they are up."""
    shown = roles(snapshot.links, patterns)
    modes = ethtool.link_modes(
        link.index
        for link in snapshot.links
        if link.up and (shown.get(link.index) is Role.NIC or shown.get(link.master) is Role.BOND)
    )
    return msgspec.structs.replace(snapshot, modes=modes)
