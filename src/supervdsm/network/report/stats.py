# SPDX-License-Identifier: GPL-2.0-or-later
"""Network statistics: the counters of a snapshot in oVirt's words. No I/O.

Shapes: upstream-vdsm 3.8. Upstream's totals are swapped (its rxDropped counts sent packets); ours
are not.
"""

from typing import Final

from supervdsm.network.kernel.devices import NicPatterns, Role
from supervdsm.network.kernel.model import Link, Snapshot
from supervdsm.network.report.view import View
from vdsm_contract.types import InterfaceStats, NetworkStatistics

_UNKNOWN_SPEED: Final = "1000"
"""What the engine takes for the speed of a device that does not say."""


def statistics(snapshot: Snapshot, patterns: NicPatterns, sample_time: float) -> NetworkStatistics:
    """Say how the shown devices do; `sample_time` is in seconds since the epoch.

    The totals are sums over these devices, so that a packet that a bond drops for its NIC counts
    twice, as the engine is used to.
    """
    view = View(snapshot, patterns)
    links = [link for role in Role for link in view.shown(role)]
    return NetworkStatistics(
        network={link.name: _interface(view, link, sample_time) for link in links},
        rxDropped=sum(snapshot.counters[link.index].rx_dropped for link in links),
        txDropped=sum(snapshot.counters[link.index].tx_dropped for link in links),
    )


def _interface(view: View, link: Link, sample_time: float) -> InterfaceStats:
    counters = view.snapshot.counters[link.index]
    return InterfaceStats(
        name=link.name,
        state="up" if link.up else "down",
        rx=str(counters.rx),
        tx=str(counters.tx),
        rxErrors=str(counters.rx_errors),
        txErrors=str(counters.tx_errors),
        rxDropped=str(counters.rx_dropped),
        txDropped=str(counters.tx_dropped),
        speed=str(view.speed(link) or _UNKNOWN_SPEED),
        duplex=view.mode(link).duplex,
        sampleTime=sample_time,
    )
