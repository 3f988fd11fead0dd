# SPDX-License-Identifier: GPL-2.0-or-later
"""How busy the CPUs are: samples of /proc/stat, taken by a thread while vdsm runs.

A rate needs two samples. The thread keeps the last two, and who asks for the rates takes a third,
so that the answer covers between one and two intervals up to now. Source: proc_stat(5).
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from vdsm.host.tree import HostTree

log = logging.getLogger(__name__)

INTERVAL_S = 15.0  # unless host_sample_stats_interval says otherwise
_JIFFIES_PER_SECOND = os.sysconf("SC_CLK_TCK")
_SHORTEST_S = 0.5  # below, a jiffy more or less would be seen in the percentages


@dataclass(frozen=True, slots=True)
class Jiffies:
    """Time spent by one CPU or by all of them, since boot."""

    user: int
    system: int
    total: int


@dataclass(frozen=True, slots=True)
class Usage:
    """Percentages of the time of one CPU or, for the host, of all CPUs together."""

    user: float
    system: float

    @property
    def idle(self) -> float:
        return max(0.0, 100.0 - self.user - self.system)


@dataclass(frozen=True, slots=True)
class Sample:
    """One look at the counters, `taken` on the monotonic clock."""

    taken: float
    host: Jiffies
    cpus: dict[int, Jiffies]
    vdsm: Jiffies


@dataclass(frozen=True, slots=True)
class Rates:
    """How busy the CPUs were; vdsm's own usage is in percent of one CPU."""

    host: Usage
    cpus: dict[int, Usage]
    vdsm: Usage


IDLE = Rates(Usage(0.0, 0.0), {}, Usage(0.0, 0.0))


def take(tree: HostTree, now: float) -> Sample:
    """Reads the counters. Raises OSError or ValueError."""
    cpus: dict[int, Jiffies] = {}
    host: Jiffies | None = None
    for line in tree.text("/proc/stat").splitlines():
        name, *fields = line.split()
        if name == "cpu":
            host = _jiffies(fields)
        elif name.startswith("cpu"):
            cpus[int(name[3:])] = _jiffies(fields)
    if host is None:
        raise ValueError("/proc/stat has no line for all CPUs")
    # The process's name, in parentheses, may hold spaces: the fields begin behind it.
    own = tree.text("/proc/self/stat").rpartition(")")[2].split()
    user, system = int(own[11]), int(own[12])
    return Sample(now, host, cpus, Jiffies(user, system, user + system))


def _jiffies(fields: list[str]) -> Jiffies:
    """user nice system idle iowait irq softirq steal; the guests' time is part of user and nice."""
    user, nice, system, *rest = (int(field) for field in fields[:8])
    irq = sum(rest[2:4])
    return Jiffies(user + nice, system + irq, user + nice + system + sum(rest))


def rates(first: Sample, last: Sample) -> Rates:
    """How busy the CPUs were between two samples; idle when too little time lies between them."""
    elapsed = last.taken - first.taken
    if elapsed < _SHORTEST_S:
        return IDLE
    own = elapsed * _JIFFIES_PER_SECOND
    return Rates(
        host=_usage(first.host, last.host, last.host.total - first.host.total),
        cpus={
            number: _usage(first.cpus[number], jiffies, jiffies.total - first.cpus[number].total)
            for number, jiffies in last.cpus.items()
            if number in first.cpus
        },
        vdsm=_usage(first.vdsm, last.vdsm, own),
    )


def _usage(first: Jiffies, last: Jiffies, whole: float) -> Usage:
    def percent(spent: int) -> float:
        # A CPU that went off and on again starts at zero: no time passed then, as far as we know.
        return min(100.0, 100.0 * spent / whole) if whole > 0 and spent > 0 else 0.0

    return Usage(percent(last.user - first.user), percent(last.system - first.system))


class Sampler:
    """Takes samples from when it is entered until it is left."""

    def __init__(
        self,
        tree: HostTree | None = None,
        *,
        interval: float = INTERVAL_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._tree = tree or HostTree()
        self._interval = interval
        self._clock = clock
        self._samples: deque[Sample] = deque(maxlen=2)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sampler", daemon=True)

    def __enter__(self) -> Self:
        self._sample()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()

    def rates(self) -> Rates:
        """How busy the CPUs have been; idle before there is anything to compare with.

        Raises OSError or ValueError.
        """
        try:
            first = self._samples[0]
        except IndexError:
            return IDLE
        return rates(first, take(self._tree, self._clock()))

    def _sample(self) -> None:
        self._samples.append(take(self._tree, self._clock()))

    def _run(self) -> None:
        while not self._stop.wait(self._interval):
            try:
                self._sample()
            except (OSError, ValueError):
                # The next turn may do better; the thread must not end for one failure.
                log.warning("Failed to sample the CPU counters", exc_info=True)
