# SPDX-License-Identifier: GPL-2.0-or-later
"""The host's memory: /proc/meminfo, huge pages, transparent huge pages and KSM.

Sources: proc_meminfo(5); the kernel's Documentation/admin-guide/mm/{hugetlbpage,ksm,transhuge}.rst.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from vdsm.host.tree import HostTree

_HUGEPAGES = "/sys/kernel/mm/hugepages"
_KSM = "/sys/kernel/mm/ksm"
_THP = "/sys/kernel/mm/transparent_hugepage/enabled"
_LINE = re.compile(r"(?:Node \d+ )?([^:\s]+):\s*(\d+)")
_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Ksm:
    """Kernel same-page merging; `shared` is the memory that it saves, in MiB."""

    running: bool
    pages_to_scan: int
    merge_across_nodes: bool
    shared: int


def parse_meminfo(text: str) -> dict[str, int]:
    """The numbers of a meminfo file (of the host or of a node): KiB, or pages for HugePages_*."""
    return {match[1]: int(match[2]) for match in map(_LINE.match, text.splitlines()) if match}


def meminfo(tree: HostTree) -> dict[str, int]:
    """The host's memory in KiB by the kernel's names. Raises OSError."""
    return parse_meminfo(tree.text("/proc/meminfo"))


def free_or_cached(info: dict[str, int]) -> int:
    """The KiB that a new VM could have: free, or given back by the kernel's caches at once."""
    return sum(info.get(key, 0) for key in ("MemFree", "Cached", "Buffers", "SReclaimable"))


def hugepages(tree: HostTree, below: str = _HUGEPAGES) -> dict[int, dict[str, int]]:
    """The counters of each huge page pool, such as free_hugepages, by the page size in KiB."""
    pools = {}
    for directory in tree.entries(below):
        match = re.fullmatch(r"hugepages-(\d+)kB", directory.name)
        if match:
            where = f"{below}/{directory.name}"
            pools[int(match[1])] = {
                file.name: tree.number_or(f"{where}/{file.name}", 0)
                for file in tree.entries(where)
                if file.name.endswith("_hugepages") and file.name != "demote_hugepages"
            }
    return dict(sorted(pools.items()))


def transparent_hugepages(tree: HostTree) -> str:
    """The state in force: always, madvise or never."""
    match = re.search(r"\[(\w+)\]", tree.text_or(_THP, ""))
    return match[1] if match else "never"


def ksm(tree: HostTree) -> Ksm:
    """The state of kernel same-page merging; not running in a kernel that does not have it."""
    saved = tree.number_or(f"{_KSM}/pages_sharing", 0) * os.sysconf("SC_PAGE_SIZE")
    return Ksm(
        running=tree.number_or(f"{_KSM}/run", 0) == 1,
        pages_to_scan=tree.number_or(f"{_KSM}/pages_to_scan", 0),
        merge_across_nodes=tree.number_or(f"{_KSM}/merge_across_nodes", 0) == 1,
        shared=saved // _MIB,
    )
