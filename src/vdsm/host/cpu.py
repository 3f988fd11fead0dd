# SPDX-License-Identifier: GPL-2.0-or-later
"""The host's CPUs: what they are (/proc/cpuinfo) and how they are arranged (sysfs).

Sources: the kernel's Documentation/admin-guide/cputopology.rst; /proc/cpuinfo has a layout of its
own on each architecture, of which the keys for x86, arm64, ppc64 and s390x are known here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from vdsm.host.tree import HostTree

_CPUINFO = "/proc/cpuinfo"
_CPUS = "/sys/devices/system/cpu"

_MODEL_KEYS = ("model name", "cpu", "Processor", "machine")
_SPEED_KEYS = ("cpu MHz", "clock", "cpu MHz static")
_FLAG_KEYS = ("flags", "Features", "features")


@dataclass(frozen=True, slots=True)
class Model:
    """What kind the CPUs are: `speed` is in MHz, as the kernel writes it."""

    name: str
    speed: str
    flags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Cpu:
    """One online logical CPU. `siblings` names the threads that share its core."""

    number: int
    node: int
    socket: int
    die: int
    core: int
    siblings: str


@dataclass(frozen=True, slots=True)
class Topology:
    """All online CPUs, by number."""

    cpus: tuple[Cpu, ...]

    @property
    def sockets(self) -> int:
        return len({cpu.socket for cpu in self.cpus})

    @property
    def cores(self) -> int:
        return len({cpu.siblings for cpu in self.cpus})

    @property
    def threads(self) -> int:
        return len(self.cpus)


def parse_list(text: str) -> list[int]:
    """The numbers of a kernel CPU list such as "0-3,8", ascending. Raises ValueError."""
    numbers: set[int] = set()
    for part in filter(None, text.strip().split(",")):
        first, dash, last = part.partition("-")
        numbers.update(range(int(first), int(last if dash else first) + 1))
    return sorted(numbers)


def model(tree: HostTree) -> Model:
    """Reads the model from the first CPU that says something. Raises OSError."""
    fields: dict[str, str] = {}
    for line in tree.text(_CPUINFO).splitlines():
        key, colon, value = line.partition(":")
        if colon:
            fields.setdefault(key.strip(), value.strip())

    def first(keys: tuple[str, ...]) -> str:
        return next((fields[key] for key in keys if key in fields), "")

    return Model(
        name=first(_MODEL_KEYS),
        speed=re.sub(r"[^0-9.].*", "", first(_SPEED_KEYS)),
        flags=tuple(first(_FLAG_KEYS).split()),
    )


def topology(tree: HostTree, nodes: Mapping[int, int]) -> Topology:
    """Reads the arrangement of the online CPUs; `nodes` maps a CPU to its NUMA node.

    Raises OSError or ValueError when sysfs does not say which CPUs are online.
    """
    return Topology(
        tuple(
            _cpu(tree, number, nodes.get(number, 0))
            for number in parse_list(tree.text(f"{_CPUS}/online"))
        )
    )


def _cpu(tree: HostTree, number: int, node: int) -> Cpu:
    where = f"{_CPUS}/cpu{number}/topology"
    return Cpu(
        number=number,
        node=node,
        # An architecture without the notion says -1 or has no file: then there is one of it.
        socket=max(tree.number_or(f"{where}/physical_package_id", 0), 0),
        die=max(tree.number_or(f"{where}/die_id", 0), 0),
        core=max(tree.number_or(f"{where}/core_id", number), 0),
        siblings=tree.text_or(f"{where}/thread_siblings_list", str(number)),
    )
