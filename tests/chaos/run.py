# SPDX-License-Identifier: GPL-2.0-or-later
"""`python -m chaos.run`: faults of a seed for a time; see --help and docs/chaos.md."""

import argparse
import itertools
import json
import random
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Final

from chaos.check import DHCP_NETWORK, STEADY, Checker
from chaos.connection import enter_network
from chaos.faults import FAULTS
from chaos.faults.harm import Harm, Target
from chaos.faults.upgrade import releases
from chaos.load import mounts
from chaos.load.client import Book, Client, Gate, Refused, Unknown
from chaos.load.disks import Disks
from chaos.load.mounts import Mounter
from chaos.load.networks import VERB, Networker, text
from chaos.load.reads import Reader
from chaos.report import Result, as_json, as_text, survived
from chaos.schedule import Fault, Kind, schedule
from chaos.site import DHCP_NIC, DHCP_UNIT, DOMAIN_DIR, Site, prepared
from chaos.spent import Spent
from machines import ROOT, Machine

NICS: Final = tuple(f"veth_c{number}" for number in range(6))
READERS: Final = 3
_THREADS: Final = 4
_WHOLE: Final = 25
"""Each so many checks the domain is looked at byte by byte."""
_RECOVERY_S: Final = 60.0
_LONG_S: Final = 0.4
"""What took longer is told of each fault."""


class Probe(Client):
    """Calls of the run itself."""

    def step(self) -> None:
        """It is never started."""


@dataclass(frozen=True)
class Run:
    """One run, on a host that is ready."""

    seed: int
    site: Site
    book: Book
    gate: Gate
    clients: Sequence[Client]
    checker: Checker
    probe: Probe
    outside: ThreadPoolExecutor
    """Threads where the clients are, for calls of the run itself."""

    @property
    def spent(self) -> Spent:
        return self.checker.spent

    def go(self, faults: Iterator[Fault], seconds: float, *, show: bool) -> Result:
        """Do one fault after the other until the time is over or something was wrong."""
        result = Result(self.seed)
        began = time.monotonic()
        for client in self.clients:
            client.start()
        self._check(result, None, whole=True)
        self.spent.parts.clear()
        for fault in faults:
            if time.monotonic() - began > seconds or result.violations:
                break
            self._one(result, fault, show=show)
        if not result.violations:
            self._check(result, None, whole=True, quiet=True)
        self.gate.end()
        for client in self.clients:
            client.join(60)
        result.seconds = time.monotonic() - began
        result.calls = len(self.book.ledger.calls)
        result.outcomes = Counter(call.saw for call in self.book.ledger.ended)
        result.peaks, result.checks = self.checker.peaks, self.checker.checks
        result.spent = dict(self.spent.parts)
        return result

    def _one(self, result: Result, fault: Fault, *, show: bool) -> None:
        began, before = time.monotonic(), dict(self.spent.parts)
        self.gate.open()
        with self.spent.on("pause"):
            time.sleep(fault.pause_s)  # the moment is what is tried
        sent = time.monotonic()
        with self.spent.on("harm"):
            harm = FAULTS[fault.kind](Target(self.site, self.clients), fault)
        with self.spent.on("recovery"):
            recovered = self._recovered(harm, fault)
        with self.book.lock:
            calls = self.book.ledger.saw(sent)
        title = harm.title or fault.title
        one = survived(fault.number, title, harm.began, recovered, calls)
        if harm.booted:
            with self.spent.on("boot"):
                self.checker.rebooted()
        self._check(result, fault, harm=harm, whole=fault.number % _WHOLE == 0)
        one = replace(one, all_s=time.monotonic() - began)
        result.survived.append(one)
        if show:
            print(
                f"{fault.number:4} {title:24} recovered in {one.recovery_s:6.2f} s, "
                f"all in {one.all_s:6.2f} s ({self._longest(before)}); {dict(one.saw)}",
                file=sys.stderr,
                flush=True,
            )

    def _longest(self, before: Mapping[str, float]) -> str:
        parts = {part: now - before.get(part, 0) for part, now in self.spent.parts.items()}
        most = [f"{part} {spent:.1f}" for part, spent in parts.items() if spent > _LONG_S]
        return ", ".join([*most, *sorted(self.checker.reasons)])

    def _recovered(self, harm: Harm, fault: Fault) -> float:
        """Wait until a call is served by the whole pair again; when that was."""
        deadline = time.monotonic() + _RECOVERY_S
        if harm.replaced:
            with self.spent.on("(replaced)"):
                old, limit = dict(harm.replaced), _RECOVERY_S
                missing = self.site.agent.ask("replaced", containers=old, seconds=limit)
            for unit in missing:
                self._wrong(STEADY, f"{unit} did not come back from {fault.title}")
            if missing:
                return time.monotonic()
        while not self.outside.submit(self._serves).result():
            if time.monotonic() > deadline:
                self._wrong(STEADY, f"no call is served after {fault.title}")
                break
            time.sleep(0.02)
        return time.monotonic()

    def _serves(self) -> bool:
        try:
            self.probe.call("Host.getNetworkStatistics")
        except (Refused, Unknown):
            return False
        return True

    def _check(
        self,
        result: Result,
        fault: Fault | None,
        *,
        harm: Harm | None = None,
        whole: bool,
        quiet: bool = False,
    ) -> None:
        self.checker.settle()
        # First, as it takes away what the fault is to leave.
        for wrong in harm.check() if harm else ():
            self._wrong(STEADY, wrong)
        self.checker.check(whole=whole, quiet=quiet)
        with self.book.lock:
            seen, self.book.ledger.violations = self.book.ledger.violations, []
        number, title = (fault.number, fault.title) if fault else (len(result.survived), "none")
        result.violations += [(number, title, one) for one in seen]

    def _wrong(self, rule: str, details: str) -> None:
        with self.book.lock:
            self.book.ledger.violate(rule, details)


def _set_up(run_probe: Probe, disks: Disks, site: Site) -> None:
    """A network with a lease, and a storage domain; on a host that was used, they are there."""
    leased = {DHCP_NETWORK: {"nic": DHCP_NIC, "bridged": False, "bootproto": "dhcp"}}
    now = run_probe.call("Host.getNetworkCapabilities")["networks"]
    gone = {name: {"remove": True} for name in now if name != DHCP_NETWORK}
    options = {"connectivityCheck": False, "commitOnSuccess": True}
    request = {"networks": {**gone, **leased}, "bondings": {}, "options": options}
    run_probe.call(VERB, request)
    site.machine.wait(f"grep -qs address /run/vdsm/leases/{DHCP_NIC}.json")
    site.machine.wait(f"[ $(systemctl show -P SubState {DHCP_UNIT}.service) = running ]")
    disks.engine.begin()


@contextmanager
def running(machine: Machine, seed: int) -> Iterator[Run]:
    """Make a host ready, with its clients, which do nothing yet."""
    with prepared(machine, list(NICS)) as site:
        book, gate = Book(), Gate()
        common = seed, site.place, book, gate
        readers = [Reader(f"reader{number}", *common) for number in range(READERS)]
        first, second = Networker("networker", *common), Networker("rival", *common)
        first.nics, first.first = NICS[:4], 1
        second.nics, second.first = NICS[4:], 5
        disks = Disks("disks", *common, DOMAIN_DIR)
        mounter = Mounter("mounter", *common)
        for client in (first, second):
            book.ledger.define(client.register, text({}))
        for directory in mounts.DIRECTORIES:
            book.ledger.define(mounts.register(directory), mounts.ABSENT)
        probe = Probe("probe", *common)
        with ThreadPoolExecutor(
            _THREADS, initializer=enter_network, initargs=(site.place.network,)
        ) as out:
            out.submit(_set_up, probe, disks, site).result()
            clients = [*readers, first, second, disks, mounter]
            checker = Checker(site, book, gate, clients, [first, second], disks, probe, out)
            checker.begin()
            yield Run(seed, site, book, gate, clients, checker, probe, out)


def seconds(text: str) -> float:
    """Seconds of "90", "90s", "20m" or "2h"."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no time: 90s, 20m, 2h")
    return float(match[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[match[2]]


def main() -> int:
    """Run by the command line; 1 when something was wrong."""
    parser = argparse.ArgumentParser(prog="containers/chaos", description=__doc__)
    parser.add_argument("--time", type=seconds, default="5m", help="how long: 90s, 20m, 2h")
    parser.add_argument("--seed", type=int, help="repeats the run with that seed; else a new one")
    parser.add_argument("--host", required=True, help="the test host; chaos changes it for good")
    parser.add_argument("--faults", type=int, help="end after so many faults")
    for option, what in (("--without", "leave a kind out"), ("--only", "do this kind alone")):
        parser.add_argument(
            option, type=Kind, choices=list(Kind), action="append", default=[], metavar="KIND",
            help=f"{what}: {', '.join(Kind)}; may be given more than once",
        )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="as when the output is piped")
    words = parser.parse_args()
    seed = random.SystemRandom().randrange(1 << 32) if words.seed is None else words.seed
    print(f"seed {seed}", file=sys.stderr, flush=True)
    machine = Machine(ROOT / "containers/testhost", words.host)
    with running(machine, seed) as run:
        without = {*words.without, *(set(Kind) - set(words.only) if words.only else ())}
        if {Kind.UPGRADE, Kind.STOP_UPGRADER} - without:
            releases(machine)
        faults = itertools.islice(schedule(seed, without), words.faults)
        result = run.go(faults, words.time, show=True)
    piped = words.json or not sys.stdout.isatty()
    print(json.dumps(as_json(result), indent=2) if piped else as_text(result))
    if piped:
        print(as_text(result), file=sys.stderr)
    return 1 if result.violations else 0


if __name__ == "__main__":
    sys.exit(main())
