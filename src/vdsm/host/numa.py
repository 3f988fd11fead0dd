# SPDX-License-Identifier: GPL-2.0-or-later
"""The host's NUMA nodes: their CPUs, memory, huge pages and distances.

Source: the kernel's Documentation/ABI/stable/sysfs-devices-node.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum

from vdsm.host import memory
from vdsm.host.cpu import parse_list
from vdsm.host.tree import HostTree

_NODES = "/sys/devices/system/node"
_ONLINE = "/sys/devices/system/cpu/online"


class Balancing(IntEnum):
    """Automatic NUMA balancing, in oVirt's numbers."""

    DISABLED = 0
    ENABLED = 1
    UNKNOWN = 2


@dataclass(frozen=True, slots=True)
class Node:
    """One NUMA node. Memory in KiB; huge page pools by page size in KiB."""

    number: int
    cpus: tuple[int, ...]
    total: int
    free: int
    distances: tuple[int, ...]
    hugepages: dict[int, dict[str, int]]


def nodes(tree: HostTree) -> list[Node]:
    """All nodes by number; the whole host as node 0 in a kernel without NUMA.

    Raises OSError or ValueError when the files are not as the kernel documents them.
    """
    numbers = sorted(
        int(match[1])
        for entry in tree.entries(_NODES)
        if (match := re.fullmatch(r"node(\d+)", entry.name))
    )
    return [_node(tree, number) for number in numbers] or [_whole(tree)]


def _node(tree: HostTree, number: int) -> Node:
    where = f"{_NODES}/node{number}"
    info = memory.parse_meminfo(tree.text(f"{where}/meminfo"))
    return Node(
        number=number,
        cpus=tuple(parse_list(tree.text(f"{where}/cpulist"))),
        total=info["MemTotal"],
        free=info["MemFree"],
        distances=tuple(map(int, tree.text_or(f"{where}/distance", "").split())),
        hugepages=memory.hugepages(tree, f"{where}/hugepages"),
    )


def _whole(tree: HostTree) -> Node:
    info = memory.meminfo(tree)
    return Node(
        number=0,
        cpus=tuple(parse_list(tree.text(_ONLINE))),
        total=info["MemTotal"],
        free=info["MemFree"],
        distances=(10,),  # what the kernel says of a node's distance to itself
        hugepages=memory.hugepages(tree),
    )


def node_of_cpu(all_nodes: list[Node]) -> dict[int, int]:
    """The node of each CPU."""
    return {cpu: node.number for node in all_nodes for cpu in node.cpus}


def balancing(tree: HostTree) -> Balancing:
    """Whether the kernel moves pages to the node that uses them."""
    mode = tree.number_or("/proc/sys/kernel/numa_balancing", -1)
    if mode < 0:
        return Balancing.UNKNOWN
    # Bit 0 is the balancing between nodes; the others concern memory tiers.
    return Balancing.ENABLED if mode & 1 else Balancing.DISABLED
