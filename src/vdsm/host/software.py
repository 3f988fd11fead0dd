# SPDX-License-Identifier: GPL-2.0-or-later
"""What this vdsm is and which engines, clusters and storage formats it works with."""

from __future__ import annotations

from vdsm.host.system import Kernel
from vdsm.jsonrpc.errors import JSON
from vdsm_contract.config import Config
from vdsm_contract.version import RELEASE

# 4.7 and 4.8 are for hosts with a libvirt of 8.0 and 10.10; this vdsm has none yet.
CLUSTER_LEVELS = ("4.2", "4.3", "4.4", "4.5", "4.6")
ENGINES = ("4.2", "4.3", "4.4", "4.5")

DOMAIN_VERSIONS = (0, 2, 3, 4, 5)

# 4096 needs a lease manager that works with such blocks, which this vdsm does not have yet.
_BLOCK_SIZES = (512,)
_STORAGE_TYPES = ("FCP", "GLUSTERFS", "ISCSI", "LOCALFS", "NFS", "POSIXFS")


def capabilities(kernel: Kernel, config: Config) -> dict[str, JSON]:
    """The keys of getCapabilities that only depend on the software and its settings."""
    return {
        "software_version": RELEASE,
        "software_revision": "0",
        "version_name": f"vdsm {RELEASE}",
        "supportedENGINEs": list(ENGINES),
        "clusterLevels": list(CLUSTER_LEVELS),
        "packages2": {
            "kernel": {"version": kernel.version, "release": kernel.release},
            "vdsm": {"version": RELEASE, "release": ""},
        },
        "domain_versions": list(DOMAIN_VERSIONS),
        "supported_block_size": {name: list(_BLOCK_SIZES) for name in _STORAGE_TYPES},
        "reservedMem": str(config.host_mem_reserve + config.extra_mem_reserve),
        "guestOverhead": str(config.guest_ram_overhead),
        "vmTypes": ["kvm"],
        "additionalFeatures": [],
        "hooks": {},
        # What needs libvirt, QEMU, sanlock or the hosted engine's agent, which are not there yet.
        "emulatedMachines": [],
        "liveSnapshot": "false",
        "liveMerge": "false",
        "backupEnabled": False,
        "zerocopy_migrations": False,
        "tscFrequency": "",
        "tscScaling": False,
        "hostedEngineDeployed": False,
        "ovnConfigured": False,
    }
