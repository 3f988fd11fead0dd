# SPDX-License-Identifier: GPL-2.0-or-later
"""Times oVirt's workload of many networks: ours, `ip -batch` (the floor) and ifupdown2.

Usage: networks.py [--kind vlan|veth] [--runs N] [--ifupdown2 TREE] COUNT...

Each run has a network namespace and a process of its own, and the contenders take turns. Ours is
the whole of setupNetworks: request, journal, change, verification, stored configuration.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

from ifupdown2 import Ifupdown2
from ip_batch import carry_out
from measure import Section
from workload import FAKE_NICS, PHASES, Workload

from supervdsm.network.apply.executor import Executor
from supervdsm.network.kernel.devices import NicPatterns
from supervdsm.network.kernel.reading import Reader
from supervdsm.network.plan import planner
from supervdsm.network.plan.operations import Operation
from supervdsm.network.plan.state import Dhcp, State
from supervdsm.network.transaction.assembly import Transactions
from supervdsm.network.transaction.change import proposed
from supervdsm.network.transaction.converge import Kernel
from supervdsm.network.transaction.hooks import Hooks, Request
from supervdsm.network.transaction.store import RUNNING, Store

_T = TypeVar("_T")

STATE: Final = Path("/var/tmp")
"""On a disk: the journal and the configuration are flushed."""
STAGES: Final = ("read", "apply")
SLOW: Final = 1000
"""From so many networks on, a third of the runs must do."""


class NoClients:
    """The workload has no DHCP."""

    def start(self, device: str, dhcp: Dhcp) -> None:
        raise SystemExit(f"a DHCP client on {device}: {dhcp}")

    def stop(self, device: str) -> None:
        raise SystemExit(f"no DHCP client on {device}")


def no_functions(nic: str, number: int) -> None:
    """The workload has no SR-IOV."""
    raise SystemExit(f"{number} virtual functions of {nic}")


class Contender:
    """Carries out phases and keeps what it measured."""

    def __init__(self, workload: Workload, scratch: Path) -> None:
        self.took: dict[str, float] = defaultdict(float)
        self.workload = workload
        self._reader = Reader(
            patterns=NicPatterns(fake=(FAKE_NICS,)), dhcp=dict, nameservers=lambda: ()
        )
        self._executor = Executor(dhcp=NoClients())
        self._store = Store(scratch / "lib")
        self._transactions = Transactions.over(
            Kernel(self._read, self._apply, self._read),
            self._store,
            state_dir=scratch / "lib",
            run_dir=scratch / "run",
            hooks=Hooks(scratch / "hooks", None, scratch / "run"),
            set_numvfs=no_functions,
        )
        (scratch / "lib").mkdir()
        (scratch / "run").mkdir()
        (scratch / "hooks").mkdir()

    def ours(self, phase: str) -> None:
        """Change the networks by a transaction."""
        before = processor(resource.RUSAGE_SELF)
        self._timed(phase, lambda: self._transactions.setup.setup(self._request(phase)))
        self.took[f"{phase} processor"] = processor(resource.RUSAGE_SELF) - before

    def floor(self, phase: str) -> None:
        """Plan the change, and have others carry it out."""
        request = self._request(phase)
        running = self._store.running()
        change = proposed(self._reader.read(), running, request.networks, {})
        operations = planner.plan(change.current, change.target)
        self.took[f"{phase} operations"] = len(operations)
        before = processor(resource.RUSAGE_CHILDREN)
        self.took[phase], self.took[f"{phase} sysctl"] = carry_out(operations)
        self.took[f"{phase} processor"] = processor(resource.RUSAGE_CHILDREN) - before
        self._store.switch(RUNNING, self._store.prepare(RUNNING, change.wanted))
        left = planner.plan(self._reader.read(), change.target)
        if left:
            raise SystemExit(f"{phase}: the floor left {left[0]} and {len(left) - 1} more")

    def _request(self, phase: str) -> Request:
        networks: dict[str, object] = dict(self.workload.request(phase))
        return Request(networks, {}, {"connectivityCheck": False})

    def _read(self) -> State:
        return self._timed("read", self._reader.read)

    def _apply(self, operations: Sequence[Operation]) -> None:
        self._timed("apply", lambda: self._executor.apply(operations))

    def _timed(self, what: str, call: Callable[[], _T]) -> _T:
        start = time.monotonic()
        result = call()
        self.took[what] += time.monotonic() - start
        return result


def run(who: str, workload: Workload, tree: Path | None) -> dict[str, Any]:
    """Carry out all phases in this process' namespace; return seconds by phase, and memory."""
    workload.prepare()
    with tempfile.TemporaryDirectory(dir=STATE, prefix="bench-") as scratch:
        contender = Contender(workload, Path(scratch))
        found: dict[str, Any] = {"memory before": memory("VmRSS")}
        if who == "ifupdown2":
            assert tree is not None
            other = Ifupdown2(tree, workload)
            return found | {phase: other.phase(phase) for phase in PHASES}
        for phase in PHASES:
            if who == "ours":
                contender.ours(phase)
                for stage in STAGES:
                    contender.took[f"{phase} {stage}"] = contender.took.pop(stage)
            else:
                contender.floor(phase)
        after = {"memory after": memory("VmRSS"), "memory peak": memory("VmHWM")}
        return found | contender.took | after


def processor(whose: int) -> float:
    """Return the seconds that processors worked for this process, or for those that it ran."""
    used = resource.getrusage(whose)
    return used.ru_utime + used.ru_stime


def memory(field: str) -> float:
    """Return a figure of this process, in MiB (proc_pid_status(5))."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) / 1024
    raise SystemExit(f"the kernel does not tell {field}")


def in_namespace(who: str, arguments: argparse.Namespace, count: int) -> dict[str, Any]:
    """Run this program in namespaces of its own."""
    again = [sys.executable, __file__, f"--kind={arguments.kind}", f"--only={who}", str(count)]
    if arguments.ifupdown2:
        again.insert(-1, f"--ifupdown2={arguments.ifupdown2}")
    script = 'mount -t sysfs sysfs /sys && exec "$@"'
    done = subprocess.run(
        ["unshare", "--net", "--mount", "sh", "-c", script, "sh", *again],
        stdout=subprocess.PIPE,
        check=True,
    )
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def compare(arguments: argparse.Namespace, count: int) -> None:
    """Let all contenders run in turn, and tell what came of it."""
    contenders = ["ours", "ip", *(["ifupdown2"] if arguments.ifupdown2 else [])]
    results: dict[str, list[dict[str, Any]]] = {who: [] for who in contenders}
    for _ in range(arguments.runs if count < SLOW else max(1, arguments.runs // 3)):
        for who in contenders:
            results[who].append(in_namespace(who, arguments, count))
    for phase in PHASES:
        section = Section(f"networks-{arguments.kind}", f"{phase}, networks")
        section.show("ours", [one[phase] for one in results["ours"]], count)
        for stage in STAGES:
            section.show(
                f"of it {stage}", [one[f"{phase} {stage}"] for one in results["ours"]], count
            )
        section.value("operations", results["ip"][0][f"{phase} operations"], "operations", count)
        ip = [one[phase] for one in results["ip"]]
        sysctl = [one[f"{phase} sysctl"] for one in results["ip"]]
        section.show("ip -batch", ip, count)
        section.show("sysctl, not in it", sysctl, count)
        floor = [sum(pair) for pair in zip(ip, sysctl, strict=True)]
        ratios(section, "ours / (ip -batch + sysctl)", results["ours"], phase, floor, count)
        ratios(section, "ours / ip -batch", results["ours"], phase, ip, count)
        for who, what in (("ours", "ours"), ("ip", "ip and sysctl")):
            work = [one[f"{phase} processor"] for one in results[who]]
            section.show(f"processor: {what}", work, count)
        if arguments.ifupdown2:
            others = [one[phase] for one in results["ifupdown2"]]
            section.show("ifupdown2", others, count)
            ratios(section, "ours / ifupdown2", results["ours"], phase, others, count)
    section = Section(f"networks-{arguments.kind}", "memory, networks")
    for when in ("before", "after", "peak"):
        found = [one[f"memory {when}"] for one in results["ours"]]
        section.value(when, statistics.median(found), "MiB", count)


def ratios(
    section: Section,
    what: str,
    ours: list[dict[str, Any]],
    phase: str,
    others: list[float],
    count: int,
) -> None:
    """Tell of ratios, each of two that ran one after the other."""
    found = [one[phase] / other for one, other in zip(ours, others, strict=True)]
    section.value(what, statistics.median(found), "times", count)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kind", choices=("vlan", "veth"), default="vlan")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--ifupdown2", type=Path, metavar="TREE")
    parser.add_argument("--only", choices=("ours", "ip", "ifupdown2"), help=argparse.SUPPRESS)
    parser.add_argument("counts", type=int, nargs="+", metavar="COUNT")
    arguments = parser.parse_args()
    if arguments.only:
        workload = Workload(arguments.kind, arguments.counts[0])
        print(json.dumps(run(arguments.only, workload, arguments.ifupdown2)))
        return
    for count in arguments.counts:
        compare(arguments, count)


if __name__ == "__main__":
    main()
