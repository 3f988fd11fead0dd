# SPDX-License-Identifier: GPL-2.0-or-later
"""Host.getStats: how the host does, put together.

Keys and shapes: oVirt's HostStats (vdsm-api-names). Numbers that oVirt writes as strings are
strings here too: percentages with two decimals, MiB without.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from vdsm.host import memory, netconf, numa, system
from vdsm.host.once import Once
from vdsm.host.sampling import Sampler, Usage
from vdsm.host.tree import HostTree
from vdsm.jsonrpc.errors import JSON
from vdsm_contract.proxy import Supervdsm
from vdsm_contract.types import NetworkStatistics

_MIB = 1024 * 1024

# The engine warns when one of these fills up. Some are the container's own: what is full there
# stops vdsm all the same.
_WATCHED = ("/", "/tmp", "/var/log", "/var/run/vdsm", "/var/lib/vdsm")  # noqa: S108 - not written


@dataclass(frozen=True, slots=True)
class Vms:
    """How many VMs there are, and in what states."""

    count: int = 0
    active: int = 0
    incoming: int = 0
    outgoing: int = 0


class Statistics:
    """Reads the statistics. For any thread. `storage_domains` tells how those that are watched do,
    without waiting for any (StorageDomainVitalsMap)."""

    def __init__(
        self,
        supervdsm: Supervdsm,
        tree: HostTree,
        sampler: Sampler,
        storage_domains: Callable[[], dict[str, JSON]] = dict,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._supervdsm = supervdsm
        self._tree = tree
        self._sampler = sampler
        self._storage_domains = storage_domains
        self._clock = clock
        self._started = clock()
        self._boot_time = Once(lambda: system.boot_time(tree))

    def network(self) -> dict[str, JSON]:
        """Host.getNetworkStatistics. Raises ContractError."""
        statistics: dict[str, JSON] = msgspec.to_builtins(self._network())
        return statistics

    def read(self, vms: Vms) -> dict[str, JSON]:
        """Host.getStats. Raises ContractError, OSError or ValueError."""
        network = self._network()
        interfaces: dict[str, JSON] = msgspec.to_builtins(network.network)
        return {
            "network": interfaces,
            "rxDropped": str(network.rxDropped),
            "txDropped": str(network.txDropped),
            "netConfigDirty": netconf.dirty_text(self._tree),
            "dateTime": time.strftime("%Y-%m-%dT%H:%M:%S GMT", time.gmtime()),
            "elapsedTime": str(int(self._clock() - self._started)),
            "bootTime": str(self._boot_time.get()),
            "diskStats": self._disks(),
            "storageDomains": self._storage_domains(),
            **self._processors(),
            **self._memory(),
            **self._nodes(),
            **self._ksm(),
            **_vms(vms),
            **_ABSENT,
        }

    def _network(self) -> NetworkStatistics:
        return self._supervdsm.network.network_stats()

    def _processors(self) -> dict[str, JSON]:
        rates = self._sampler.rates()
        nodes = numa.node_of_cpu(numa.nodes(self._tree))
        cpus: dict[str, JSON] = {
            str(number): {"nodeIndex": nodes.get(number, 0), **_usage(usage)}
            for number, usage in rates.cpus.items()
        }
        return {
            **_usage(rates.host),
            "cpuUserVdsmd": f"{rates.vdsm.user:.2f}",
            "cpuSysVdsmd": f"{rates.vdsm.system:.2f}",
            "cpuLoad": self._tree.text("/proc/loadavg").split()[1],  # over five minutes
            "cpuStatistics": cpus,
        }

    def _memory(self) -> dict[str, JSON]:
        info = memory.meminfo(self._tree)
        free = memory.free_or_cached(info)
        pools: dict[str, JSON] = {
            str(size): {**pool} for size, pool in memory.hugepages(self._tree).items()
        }
        return {
            "memFree": free // 1024,
            "memUsed": str(100 - 100 * min(free, info["MemTotal"]) // info["MemTotal"]),
            "swapTotal": info["SwapTotal"] // 1024,
            "swapFree": info["SwapFree"] // 1024,
            "anonHugePages": str(info.get("AnonHugePages", 0) // 1024),
            "thpState": memory.transparent_hugepages(self._tree),
            "hugepages": pools,
        }

    def _nodes(self) -> dict[str, JSON]:
        nodes = numa.nodes(self._tree)
        return {"numaNodeMemFree": {str(node.number): _node_memory(node) for node in nodes}}

    def _ksm(self) -> dict[str, JSON]:
        ksm = memory.ksm(self._tree)
        return {
            "ksmState": ksm.running,
            "ksmPages": ksm.pages_to_scan,
            "ksmMergeAcrossNodes": ksm.merge_across_nodes,
            "ksmCpu": 0,  # ksmd is a process of the host, which vdsm's container does not see
            "memShared": ksm.shared,
        }

    def _disks(self) -> dict[str, JSON]:
        disks: dict[str, JSON] = {}
        for path in _WATCHED:
            try:
                found = os.statvfs(self._tree.path(path))
            except FileNotFoundError:
                continue
            disks[path] = {"free": str(found.f_bavail * found.f_frsize // _MIB)}
        return disks


# What is not part of this vdsm yet: the hosted engine and MOM.
_ABSENT: dict[str, JSON] = {
    "momStatus": "disabled",
    "haStats": {
        "configured": False,
        "active": False,
        "score": 0,
        "globalMaintenance": False,
        "localMaintenance": False,
    },
}


def _usage(usage: Usage) -> dict[str, JSON]:
    return {
        "cpuUser": f"{usage.user:.2f}",
        "cpuSys": f"{usage.system:.2f}",
        "cpuIdle": f"{usage.idle:.2f}",
    }


def _node_memory(node: numa.Node) -> dict[str, JSON]:
    pools: dict[str, JSON] = {
        str(size): {"freePages": str(pool.get("free_hugepages", 0))}
        for size, pool in node.hugepages.items()
    }
    # A node without memory counts as full.
    used = 100 - 100 * node.free // node.total if node.total else 100
    return {"memFree": str(node.free // 1024), "memPercent": used, "hugepages": pools}


def _vms(vms: Vms) -> dict[str, JSON]:
    return {
        "vmCount": vms.count,
        "vmActive": vms.active,
        "vmMigrating": vms.incoming + vms.outgoing,
        "incomingVmMigrations": vms.incoming,
        "outgoingVmMigrations": vms.outgoing,
    }
