# SPDX-License-Identifier: GPL-2.0-or-later
"""`org.ovirt.supervdsm.network`: what the host's network is, how it does, and what it shall be."""

from vdsm_contract.declare import Interface, exclusive, seconds, verb
from vdsm_contract.errors import (
    NETWORK,
    DeviceUnavailable,
    HookFailed,
    NetlinkFailed,
    NetworkChangeFailed,
    NetworkConfigError,
    ServiceFailed,
)
from vdsm_contract.types import (
    LinkChanges,
    LldpInfo,
    NetworkCapabilities,
    NetworkPlan,
    NetworkStatistics,
    RestoreReport,
)

_CHANGE = exclusive("network")
_CHANGE_ERRORS = (
    NetworkConfigError,
    NetworkChangeFailed,
    HookFailed,
    NetlinkFailed,
    ServiceFailed,
)


class Network(Interface, name=NETWORK):
    """The host's network: read, watched, and changed as a whole or not at all."""

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

    @verb(
        limit=seconds(60),
        errors=(NetlinkFailed,),
        touches="nothing; holds a connection until a device changes, 30 s at most",
        poll=True,
    )
    def watch_links(self, cursor: str = "") -> LinkChanges:
        """Wait for NICs, bonds and VLANs of networks to go up or down after `cursor`."""

    @verb(
        limit=seconds(900),
        lock=_CHANGE,
        errors=_CHANGE_ERRORS,
        touches="links, addresses, routes, rules and qdiscs by netlink, sysctls of devices, "
        "resolv.conf, DHCP units, and the running configuration below /var/lib/vdsm; runs hooks",
    )
    def setup_networks(
        self,
        networks: dict[str, object],
        bondings: dict[str, object],
        options: dict[str, object],
    ) -> None:
        """Change networks and bonds as asked, all or nothing."""

    @verb(
        limit=seconds(30),
        errors=(NetworkConfigError, NetlinkFailed),
        touches="reads links, addresses, routes, rules and qdiscs by netlink, and sysfs",
    )
    def plan_networks(
        self,
        networks: dict[str, object],
        bondings: dict[str, object],
        options: dict[str, object],
    ) -> NetworkPlan:
        """Say what SetupNetworks would do, and do nothing."""

    @verb(
        limit=seconds(30),
        touches="nothing; ends the wait of a network change for a sign of the engine",
        poll=True,
    )
    def confirm_connectivity(self, seen: float) -> None:
        """Say that a client of the API reached vdsm, `seen` seconds on CLOCK_MONOTONIC."""

    @verb(
        limit=seconds(60),
        lock=_CHANGE,
        errors=(NetworkChangeFailed,),
        touches="the persistent configuration below /var/lib/vdsm",
    )
    def set_safe_network_config(self) -> None:
        """Make the running configuration the one that a boot restores."""

    @verb(
        limit=seconds(900),
        lock=_CHANGE,
        errors=_CHANGE_ERRORS,
        touches="as SetupNetworks; number of virtual functions by sysfs",
    )
    def restore_networks(self, force: bool = False) -> RestoreReport:
        """Bring back the persistent configuration; once in a boot unless `force`."""

    @verb(
        limit=seconds(60),
        errors=(NetlinkFailed, DeviceUnavailable),
        touches="clsact qdisc with tc filters, and IFF_PROMISC, of the bridge of a network",
    )
    def set_port_mirroring(self, network: str, target: str) -> None:
        """Copy all frames of the bridge `network` to the device `target`."""

    @verb(
        limit=seconds(60),
        errors=(NetlinkFailed, DeviceUnavailable),
        touches="clsact qdisc with tc filters, and IFF_PROMISC, of the bridge of a network",
    )
    def unset_port_mirroring(self, network: str, target: str) -> None:
        """End what SetPortMirroring began."""

    @verb(
        limit=seconds(30),
        errors=(DeviceUnavailable,),
        touches="net.ipv4.conf.DEVICE.rp_filter",
    )
    def set_rp_filter_loose(self, device: str) -> None:
        """Accept packets whose source is reachable by any device (RFC 3704, loose)."""

    @verb(
        limit=seconds(30),
        errors=(DeviceUnavailable,),
        touches="net.ipv4.conf.DEVICE.rp_filter",
    )
    def set_rp_filter_strict(self, device: str) -> None:
        """Accept packets only whose source is reachable by the same device (RFC 3704, strict)."""

    @verb(
        limit=seconds(120),
        lock=_CHANGE,
        errors=(DeviceUnavailable, NetworkConfigError, NetworkChangeFailed),
        touches="sriov_numvfs of a PCI device, and both configurations below /var/lib/vdsm",
    )
    def change_numvfs(self, pci_path: str, numvfs: int) -> None:
        """Give the physical function at `pci_path` (0000:03:00.0) `numvfs` virtual functions."""

    @verb(
        limit=seconds(30),
        errors=(ServiceFailed, NetlinkFailed),
        touches="asks the LLDP daemon",
    )
    def get_lldp_info(self, devices: list[str]) -> LldpInfo:
        """Say what switches told the NICs by LLDP; all NICs when `devices` is empty."""
