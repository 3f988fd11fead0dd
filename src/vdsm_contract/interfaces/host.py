# SPDX-License-Identifier: GPL-2.0-or-later
"""`org.ovirt.supervdsm.host`: hardware and kernel settings of the host."""

from vdsm_contract.declare import Interface, exclusive, per_path, seconds, verb
from vdsm_contract.errors import HOST, HardwareUnavailable, KernelSettingFailed
from vdsm_contract.types import (
    CpuVulnerabilities,
    HardwareInfo,
    HugepagesAllocated,
    KsmTuning,
    QemuConfMatch,
)


class Host(Interface, name=HOST):
    """What of the host's hardware and kernel needs root."""

    @verb(
        limit=seconds(10),
        errors=(HardwareUnavailable,),
        touches="reads /sys/class/dmi/id",
    )
    def get_hardware_info(self) -> HardwareInfo:
        """Read what DMI tells of the machine."""

    @verb(limit=seconds(10), touches="reads /sys/devices/system/cpu/vulnerabilities")
    def get_cpu_vulnerabilities(self) -> CpuVulnerabilities:
        """Read what the kernel tells of the CPU's vulnerabilities."""

    @verb(
        limit=seconds(10),
        lock=exclusive("ksm"),
        errors=(KernelSettingFailed,),
        touches="writes /sys/kernel/mm/ksm/{run,merge_across_nodes,sleep_millisecs,pages_to_scan}",
    )
    def ksm_tune(self, tuning: KsmTuning) -> None:
        """Set kernel same-page merging: run and merge_across_nodes 0 to 2, the others below
        2**32."""

    @verb(
        limit=seconds(60),
        lock=per_path("path"),
        errors=(KernelSettingFailed,),
        touches="writes nr_hugepages below /sys/kernel/mm/hugepages or a NUMA node's",
    )
    def hugepages_alloc(self, count: int, path: str) -> HugepagesAllocated:
        """Add `count` (negative: remove) huge pages to the pool whose nr_hugepages file is
        `path`."""

    @verb(limit=seconds(10), touches="reads /etc/libvirt/qemu.conf of the host")
    def check_qemu_conf_contains(self, key: str, value: str) -> QemuConfMatch:
        """Tell whether libvirt's qemu.conf sets `key` to `value`."""
