# SPDX-License-Identifier: GPL-2.0-or-later
"""A host's /proc and /sys as files, recorded from a machine with two CPUs."""

from __future__ import annotations

from pathlib import Path

from vdsm.host.tree import HostTree

FLAGS = "fpu vme de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov hypervisor lahf_lm svm"

_CPUINFO = """\
processor	: {n}
vendor_id	: AuthenticAMD
cpu family	: 25
model		: 17
model name	: AMD EPYC
stepping	: 1
cpu MHz		: 2596.150
cache size	: 1024 KB
physical id	: 0
core id		: {n}
cpu cores	: 2
flags		: {flags}
bugs		: sysret_ss_attrs null_seg spectre_v1
power management:

"""

_MEMINFO = """\
MemTotal:       24684092 kB
MemFree:        20324412 kB
MemAvailable:   24323316 kB
Buffers:            1572 kB
Cached:            68164 kB
SwapTotal:       2097148 kB
SwapFree:        1048576 kB
AnonHugePages:      8192 kB
SReclaimable:     178728 kB
HugePages_Total:       4
HugePages_Free:        3
Hugepagesize:       2048 kB
"""

_STAT = """\
cpu  16003 0 11582 206423 1154 0 368 866 0 0
cpu0 6962 0 5028 105668 145 0 16 404 0 0
cpu1 9040 0 6554 100755 1009 0 351 462 0 0
intr 596245 0 0
ctxt 1394906
btime 1795358568
processes 23000
"""

_NODE_MEMINFO = """\
Node 0 MemTotal:       24684092 kB
Node 0 MemFree:        20324412 kB
Node 0 MemUsed:         4359680 kB
Node 0 HugePages_Total:     4
"""

_OWN_STAT = (
    "2290 (vdsm (main)) S 1 2290 2290 0 -1 4194304 97 0 0 0 {user} {system} 0 0 20 0 1 0 128435 1 1"
)

_CPU = "/sys/devices/system/cpu"
_NODE = "/sys/devices/system/node/node0"
_HUGE = "/sys/kernel/mm/hugepages"

RECORDED = {
    "/proc/cpuinfo": "".join(_CPUINFO.format(n=n, flags=FLAGS) for n in range(2)),
    "/proc/meminfo": _MEMINFO,
    "/proc/stat": _STAT,
    "/proc/loadavg": "1.31 0.63 0.38 2/93 22904\n",
    "/proc/cmdline": "console=ttyS0 quiet root=/dev/vda\n",
    "/proc/self/stat": _OWN_STAT.format(user=100, system=50) + "\n",
    "/proc/self/mountinfo": "22 27 0:21 / /proc rw,relatime - proc proc rw\n",
    "/proc/sys/kernel/osrelease": "6.12.48+deb13-amd64\n",
    "/proc/sys/kernel/version": "#1 SMP PREEMPT_DYNAMIC Debian 6.12.48-1\n",
    "/proc/sys/kernel/numa_balancing": "0\n",
    f"{_CPU}/online": "0-1\n",
    f"{_CPU}/cpu0/topology/physical_package_id": "0\n",
    f"{_CPU}/cpu0/topology/die_id": "0\n",
    f"{_CPU}/cpu0/topology/core_id": "0\n",
    f"{_CPU}/cpu0/topology/thread_siblings_list": "0\n",
    f"{_CPU}/cpu1/topology/physical_package_id": "0\n",
    f"{_CPU}/cpu1/topology/die_id": "0\n",
    f"{_CPU}/cpu1/topology/core_id": "1\n",
    f"{_CPU}/cpu1/topology/thread_siblings_list": "1\n",
    f"{_NODE}/cpulist": "0-1\n",
    f"{_NODE}/distance": "10\n",
    f"{_NODE}/meminfo": _NODE_MEMINFO,
    f"{_NODE}/hugepages/hugepages-2048kB/nr_hugepages": "4\n",
    f"{_NODE}/hugepages/hugepages-2048kB/free_hugepages": "3\n",
    f"{_HUGE}/hugepages-2048kB/nr_hugepages": "4\n",
    f"{_HUGE}/hugepages-2048kB/free_hugepages": "3\n",
    f"{_HUGE}/hugepages-1048576kB/nr_hugepages": "0\n",
    f"{_HUGE}/hugepages-1048576kB/free_hugepages": "0\n",
    "/sys/kernel/mm/transparent_hugepage/enabled": "always [madvise] never\n",
    "/sys/kernel/mm/ksm/run": "1\n",
    "/sys/kernel/mm/ksm/pages_to_scan": "100\n",
    "/sys/kernel/mm/ksm/pages_sharing": "512\n",
    "/sys/kernel/mm/ksm/merge_across_nodes": "1\n",
    "/sys/class/misc/kvm/dev": "10:232\n",
    "/sys/module/kvm_amd/parameters/nested": "1\n",
    "/run/host/os-release": 'ID=debian\nVERSION_ID="13"\nPRETTY_NAME="Debian GNU/Linux 13"\n',
    "/tmp/.keep": "",
}


def own_stat(user: int, system: int) -> str:
    """/proc/self/stat of a process with these times in jiffies."""
    return _OWN_STAT.format(user=user, system=system)


def write(root: Path, files: dict[str, str]) -> None:
    """Puts files below a root."""
    for path, text in files.items():
        file = root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


def recorded(root: Path, **changes: str) -> HostTree:
    """The recorded host below `root`."""
    write(root, {**RECORDED, **changes})
    return HostTree(root)
