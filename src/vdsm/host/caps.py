# SPDX-License-Identifier: GPL-2.0-or-later
"""Host.getCapabilities: everything that an engine wants to know of this host, put together.

Keys and shapes: oVirt's VdsmCapabilities (vdsm-api-names) and upstream-vdsm 4. What needs root
comes from supervdsm; when it cannot be asked, there is no answer, for half of one would tell the
engine that networks have disappeared.
"""

from __future__ import annotations

import os

import msgspec

from vdsm.host import addresses, cpu, hba, memory, netconf, numa, software, system
from vdsm.host.once import Once
from vdsm.host.tree import HostTree
from vdsm.jsonrpc.errors import JSON
from vdsm_contract.config import Config
from vdsm_contract.errors import HardwareUnavailable
from vdsm_contract.proxy import Supervdsm
from vdsm_contract.types import HardwareInfo

_HOST_ID = "/etc/vdsm/vdsm.id"  # written by the operator where the firmware has no usable UUID


class Capabilities:
    """Reads the capabilities. What cannot change while vdsm runs is read once. For any thread."""

    def __init__(self, supervdsm: Supervdsm, tree: HostTree, config: Config) -> None:
        self._supervdsm = supervdsm
        self._config = config
        self._tree = tree
        self._hardware: Once[HardwareInfo] = Once(supervdsm.host.get_hardware_info)
        self._model: Once[cpu.Model] = Once(lambda: cpu.model(tree))

    def hardware(self) -> dict[str, JSON]:
        """Host.getHardwareInfo. Raises ContractError; HardwareUnavailable where there is no DMI."""
        return _json(self._hardware.get())

    def network(self) -> dict[str, JSON]:
        """Host.getNetworkCapabilities. Raises ContractError or OSError."""
        caps = _json(self._supervdsm.network.network_caps())
        return {**caps, "netConfigDirty": netconf.dirty_text(self._tree)}

    def read(self, *, local: str, client: str) -> dict[str, JSON]:
        """Host.getCapabilities, for a client that reached this host by the address `local`.

        Raises ContractError, OSError or ValueError.
        """
        caps = self._supervdsm.network.network_caps()
        return {
            **_json(caps),
            "netConfigDirty": netconf.dirty_text(self._tree),
            "lastClient": client,
            "lastClientIface": addresses.device_of(local, caps),
            **self._processors(),
            **self._memory(),
            **self._system(),
            **self._from_root(),
            **software.capabilities(system.kernel(self._tree), self._config),
        }

    def _processors(self) -> dict[str, JSON]:
        nodes = numa.nodes(self._tree)
        topology = cpu.topology(self._tree, numa.node_of_cpu(nodes))
        model = self._model.get()
        as_cores = self._config.report_host_threads_as_cores
        return {
            "cpuModel": model.name,
            "cpuSpeed": model.speed,
            "cpuFlags": ",".join(model.flags),
            "cpuSockets": str(topology.sockets),
            "cpuCores": str(topology.threads if as_cores else topology.cores),
            "cpuThreads": str(topology.threads),
            "onlineCpus": ",".join(str(one.number) for one in topology.cpus),
            "cpuTopology": [_cpu_info(one) for one in topology.cpus],
            "vdsmToCpusAffinity": list[JSON](sorted(os.sched_getaffinity(0))),
            "numaNodes": {str(node.number): _numa_node(node) for node in nodes},
            "numaNodeDistance": {str(node.number): list(node.distances) for node in nodes},
            "autoNumaBalancing": int(numa.balancing(self._tree)),
        }

    def _memory(self) -> dict[str, JSON]:
        return {
            "memSize": str(memory.meminfo(self._tree)["MemTotal"] // 1024),
            "hugepages": list[JSON](memory.hugepages(self._tree)),
        }

    def _system(self) -> dict[str, JSON]:
        tree = self._tree
        os_version = system.operating_system(tree)
        rng: list[JSON] = ["random"]
        if system.hardware_rng(tree):
            rng.append("hwrng")
        return {
            "operatingSystem": {
                "name": os_version.name,
                "version": os_version.version,
                "release": os_version.release,
                "pretty_name": os_version.pretty_name,
            },
            "kernelArgs": system.kernel_arguments(tree),
            "realtimeKernel": system.kernel(tree).realtime,
            "kvmEnabled": _flag(system.kvm(tree)),
            "nestedVirtualization": system.nested_virtualization(tree),
            "hostdevPassthrough": _flag(system.iommu(tree)),
            "rngSources": rng,
            "selinux": {"mode": str(system.selinux_mode(tree))},
            "fipsEnabled": system.fips(tree),
            "kdumpStatus": int(system.kdump(tree)),
            "ISCSIInitiatorName": hba.initiator_name(tree),
            "HBAInventory": hba.inventory(tree),
        }

    def _from_root(self) -> dict[str, JSON]:
        host = self._supervdsm.host
        features: dict[str, JSON] = {**host.get_cpu_vulnerabilities().vulnerabilities}
        return {
            "uuid": self._host_id(),
            "kernelFeatures": features,
            "vncEncrypted": _flag(host.check_qemu_conf_contains("vnc_tls", "1").contains),
        }

    def _host_id(self) -> str:
        """The id by which an engine knows the host again; empty when it has none at all."""
        configured = self._tree.text_or(_HOST_ID, "")
        if configured:
            return configured
        try:
            return self._hardware.get().systemUUID or ""
        except HardwareUnavailable:
            return ""


def _json(struct: msgspec.Struct) -> dict[str, JSON]:
    """A struct of the contract as JSON; fields that are not set are left out."""
    value: dict[str, JSON] = msgspec.to_builtins(struct)
    return value


def _flag(value: bool) -> str:
    """A boolean as oVirt writes it where its type is a string."""
    return str(value).lower()


def _cpu_info(one: cpu.Cpu) -> dict[str, JSON]:
    return {
        "cpu_id": one.number,
        "numa_cell_id": one.node,
        "socket_id": one.socket,
        "die_id": one.die,
        "core_id": one.core,
    }


def _numa_node(node: numa.Node) -> dict[str, JSON]:
    pools: dict[str, JSON] = {
        str(size): {"totalPages": str(pool.get("nr_hugepages", 0))}
        for size, pool in node.hugepages.items()
    }
    return {
        "cpus": list(node.cpus),
        "totalMemory": str(node.total // 1024),
        "hugepages": pools,
    }
