# SPDX-License-Identifier: GPL-2.0-or-later
"""The verbs of `org.ovirt.supervdsm.host`."""

from pathlib import Path

from supervdsm.host import cpu, dmi, hugepages, ksm, qemu_conf
from vdsm_contract import interfaces, paths
from vdsm_contract.types import (
    CpuVulnerabilities,
    HardwareInfo,
    HugepagesAllocated,
    KsmTuning,
    QemuConfMatch,
)


class HostRoom(interfaces.Host):
    """What of the host's hardware and kernel needs root.

    `sysfs` is the host's sysfs and `host_root` its root tree.
    """

    def __init__(self, sysfs: Path = Path("/sys"), host_root: Path = paths.HOST_ROOT) -> None:
        self._sysfs = sysfs
        self._host_root = host_root

    def get_hardware_info(self) -> HardwareInfo:
        return dmi.hardware_info(self._sysfs)

    def get_cpu_vulnerabilities(self) -> CpuVulnerabilities:
        return CpuVulnerabilities(vulnerabilities=cpu.vulnerabilities(self._sysfs))

    def ksm_tune(self, tuning: KsmTuning) -> None:
        ksm.tune(self._sysfs, tuning)

    def hugepages_alloc(self, count: int, path: str) -> HugepagesAllocated:
        return HugepagesAllocated(allocated=hugepages.allocate(self._sysfs, count, path))

    def check_qemu_conf_contains(self, key: str, value: str) -> QemuConfMatch:
        return QemuConfMatch(contains=qemu_conf.contains(self._host_root, key, value))
