# SPDX-License-Identifier: GPL-2.0-or-later
"""The verbs of `org.ovirt.supervdsm.network`."""

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from supervdsm.network.apply import mirror, numvfs, resolv_conf, rp_filter
from supervdsm.network.apply.announce import Announcer
from supervdsm.network.apply.executor import Executor
from supervdsm.network.kernel import snapshot
from supervdsm.network.kernel.cache import Cache
from supervdsm.network.kernel.devices import NicPatterns
from supervdsm.network.kernel.reading import Reader
from supervdsm.network.kernel.watch import LinkWatch
from supervdsm.network.patterns import nic_patterns
from supervdsm.network.plan.state import Dhcp
from supervdsm.network.report import resolver
from supervdsm.network.report.caps import capabilities
from supervdsm.network.report.stats import statistics
from supervdsm.network.services.dhcp import DhcpClients
from supervdsm.network.services.leases import Leases
from supervdsm.network.services.lldp import Lldp
from supervdsm.network.services.name_servers import NameServers
from supervdsm.network.services.wishes import Wishes
from supervdsm.network.transaction import numvfs as virtual_functions
from supervdsm.network.transaction.assembly import Transactions
from supervdsm.network.transaction.converge import Kernel
from supervdsm.network.transaction.hooks import Hooks, Request
from supervdsm.network.transaction.restore import NIC_SECONDS
from supervdsm.network.transaction.store import Store
from vdsm_contract import asked, interfaces, paths
from vdsm_contract.errors import ServiceFailed
from vdsm_contract.types import (
    LinkChanges,
    LldpInfo,
    NetworkCapabilities,
    NetworkPlan,
    NetworkStatistics,
    RestoreReport,
)

_log: Final = logging.getLogger(__name__)

_WATCH_SECONDS: Final = 30.0
_LEASE_SECONDS: Final = 20.0
"""How long a boot waits for DHCP before what needs the network may start."""


class NetworkRoom(interfaces.Network):
    """The network namespace that this process is in, which is the host's.

    `sysfs` must be mounted in the same namespace; `proc` is procfs, `host_root` the host's root
    tree, `state_dir` oVirt's directory of state and `run_dir` the pair's below /run. `patterns`
    says which devices are NICs; the default is what vdsm.conf says. `hooks`,
    `dhcp` and `executor` are the host's unless they are given. `nic_seconds` is how long a boot
    waits for NICs.
    """

    def __init__(
        self,
        sysfs: Path = Path("/sys"),
        proc: Path = Path("/proc"),
        host_root: Path = paths.HOST_ROOT,
        state_dir: Path = paths.STATE_DIR,
        run_dir: Path = paths.RUN_DIR,
        patterns: NicPatterns | None = None,
        hooks: Hooks | None = None,
        dhcp: DhcpClients | None = None,
        executor: Executor | None = None,
        nic_seconds: float = NIC_SECONDS,
    ) -> None:
        self._proc = proc
        self._sysfs = sysfs
        self._host_root = host_root
        self._asked = run_dir / asked.FILE_NAME
        self._patterns = patterns or nic_patterns()
        self._store = Store(state_dir)
        self._watch = LinkWatch(self._store.running, self._patterns)
        self._cache = Cache(self._watch.tell)
        self._dhcp = dhcp or DhcpClients(
            wishes=Wishes(run_dir / "dhcp"),
            leases=Leases(run_dir / "leases"),
            state=state_dir / "dhcp",
            proc=proc,
            host_root=host_root,
        )
        self._name_servers = NameServers(
            read=lambda: resolver.nameservers(host_root),
            write=lambda servers: resolv_conf.write(host_root, servers),
            wishes=self._dhcp.wishes,
            leases=self._dhcp.leases,
        )
        self._lldp = Lldp(run_dir / "lldpd/socket")
        executor = executor or Executor(
            dhcp=self._dhcp, host_root=host_root, proc=proc, sysfs=sysfs
        )
        self._transactions = Transactions.over(
            Kernel(
                self._reader(self._running_dhcp).read,
                executor.apply,
                self._reader(self._known_dhcp).read,
                Announcer().announce,
            ),
            self._store,
            state_dir=state_dir,
            run_dir=run_dir,
            hooks=hooks or Hooks(root=host_root, run_dir=run_dir),
            nic_seconds=nic_seconds,
            set_numvfs=lambda nic, number: numvfs.restore(numvfs.of_nic(sysfs, nic), number),
        )

    def before_serving(self) -> None:
        """End the change that the last supervdsm left; restore what a boot took away."""
        boot = not self._transactions.mark.restored
        self._transactions.at_start()
        self._name_servers.start()
        if boot:
            self._await_leases()

    def network_caps(self) -> NetworkCapabilities:
        return capabilities(
            snapshot.take(self._cache, self._patterns),
            self._store.running().networks.values(),
            nameservers=resolver.nameservers(self._host_root),
            supports_ipv6=(self._proc / "sys/net/ipv6").is_dir(),
            patterns=self._patterns,
        )

    def network_stats(self) -> NetworkStatistics:
        counters = snapshot.take_counters(self._cache, self._patterns)
        return statistics(counters, self._patterns, time.time())

    def setup_networks(
        self,
        networks: dict[str, object],
        bondings: dict[str, object],
        options: dict[str, object],
    ) -> None:
        self._transactions.setup.setup(Request(networks, bondings, options))

    def plan_networks(
        self,
        networks: dict[str, object],
        bondings: dict[str, object],
        options: dict[str, object],
    ) -> NetworkPlan:
        request = Request(networks, bondings, options)
        return NetworkPlan(operations=self._transactions.setup.plan(request))

    def confirm_connectivity(self, seen: float) -> None:
        self._transactions.confirmation.confirm(seen)

    def set_safe_network_config(self) -> None:
        self._transactions.setup.persist()

    def restore_networks(self, force: bool = False) -> RestoreReport:
        return self._transactions.restore.restore(force=force)

    def get_lldp_info(self, devices: list[str]) -> LldpInfo:
        return self._lldp.info(devices, () if devices else self.network_caps().nics)

    def set_port_mirroring(self, network: str, target: str) -> None:
        mirror.set_port_mirroring(network, target, self._store.running())

    def unset_port_mirroring(self, network: str, target: str) -> None:
        running = self._store.running()
        with asked.noted(self._asked, mirrored={network} & running.networks.keys()):
            mirror.unset_port_mirroring(network, target, running)

    def set_rp_filter_loose(self, device: str) -> None:
        rp_filter.set_rp_filter(self._proc, device, rp_filter.LOOSE)

    def set_rp_filter_strict(self, device: str) -> None:
        rp_filter.set_rp_filter(self._proc, device, rp_filter.STRICT)

    def change_numvfs(self, pci_path: str, numvfs: int) -> None:
        recovery = self._transactions.recovery
        virtual_functions.change(
            self._sysfs, self._store, recovery, pci_path, numvfs, noted=self._asked
        )

    def _await_leases(self) -> None:
        try:
            waiting = self._dhcp.wait(_LEASE_SECONDS)
        except OSError as error:
            _log.error("It is not known which DHCP clients have a lease: %s", error)
            return
        if waiting:
            _log.warning("No lease after %g s: %s", _LEASE_SECONDS, ", ".join(waiting))

    def _reader(self, dhcp: Callable[[], dict[str, Dhcp]]) -> Reader:
        return Reader(
            patterns=self._patterns,
            dhcp=dhcp,
            nameservers=lambda: resolver.nameservers(self._host_root),
        )

    def _running_dhcp(self) -> dict[str, Dhcp]:
        try:
            return self._dhcp.running()
        except OSError as error:
            raise ServiceFailed(unit="vdsm-dhcp@.service", reason=str(error)) from error

    def _known_dhcp(self) -> dict[str, Dhcp]:
        try:
            return self._running_dhcp()
        except ServiceFailed as error:
            _log.error("It is not known which DHCP clients run: %s", error)
            return {}

    def watch_links(self, cursor: str = "") -> LinkChanges:
        self._cache.start()
        return self._watch.after(cursor, _WATCH_SECONDS)

    def end_watches(self) -> None:
        """Let no call of watch_links wait any longer: the process is about to end."""
        self._watch.end()
