# SPDX-License-Identifier: GPL-2.0-or-later
"""`org.ovirt.supervdsm.network`: what the host's network is and how it does."""

from vdsm_contract.declare import Interface, seconds, verb
from vdsm_contract.errors import NETWORK, NetlinkFailed
from vdsm_contract.types import NetworkCapabilities, NetworkStatistics


class Network(Interface, name=NETWORK):
    """The host's network, read by netlink."""

    @verb(
        limit=seconds(30),
        errors=(NetlinkFailed,),
        touches="reads links, addresses, routes, rules and qdiscs by netlink, and sysfs",
    )
    def network_caps(self) -> NetworkCapabilities:
        """Read all networks and devices with their addresses and attributes."""

    @verb(
        limit=seconds(30),
        errors=(NetlinkFailed,),
        touches="reads link counters by netlink, and sysfs",
    )
    def network_stats(self) -> NetworkStatistics:
        """Read the counters of all devices."""
