# SPDX-License-Identifier: GPL-2.0-or-later
"""Everything that must be true while nothing goes on, looked at in the test host."""

import json
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, TypeVar

from chaos import kernel, observe
from chaos.load import disks, mounts
from chaos.load.client import Book, Client, Gate, Refused, Unknown
from chaos.load.disks import Disks
from chaos.load.networks import Networker
from chaos.model import ENDS
from chaos.site import DHCP_NIC, DHCP_UNIT, DOMAIN_DIR, Site
from chaos.spent import Spent
from faults.kernel_dump import Dump, difference, dump
from storage import consistency
from storage.engine import Refused as TaskFailed

UNITS: Final = ("vdsm", "supervdsm", "vdsm-lldpd", DHCP_UNIT)
_DOMAIN_MOUNT: Final = mounts.target(DOMAIN_DIR)
_STEADY_S: Final = 30.0
_CALLS_S: Final = 100.0

_T = TypeVar("_T")

STEADY: Final = "nothing is leaked, and everything comes back"
SAME: Final = "the same networks are always the same in the kernel"
TOLD: Final = "vdsm tells of the networks that there are"
TASKS: Final = "each task ends, done or undone"
WHOLE: Final = "the storage domain is whole"
LEASE: Final = "a lease outlives what dies"


@dataclass
class Checker:
    """Looks while all clients wait. `probe` is a client for its own calls, `outside` has at least
    three threads that are where the clients are."""

    site: Site
    book: Book
    gate: Gate
    clients: Sequence[Client]
    networkers: Sequence[Networker]
    disks: Disks
    probe: Client
    outside: ThreadPoolExecutor
    rest: observe.Rest = field(init=False)
    start: Dump = field(init=False)
    lease: list[str] = field(init=False)
    _known: dict[str, Any] = field(default_factory=dict)
    """What the kernel had of a network with its attributes when they were first seen."""
    peaks: dict[str, int] = field(default_factory=dict)
    checks: int = 0
    spent: Spent = field(default_factory=Spent)
    reasons: set[str] = field(default_factory=set)
    """What the last check had to wait for."""

    def begin(self) -> None:
        """Take the host as it is for how it must be at rest."""
        self.rest = observe.at_rest(self._look())
        self.start = dump(self.site.namespace)
        self.lease = kernel.addresses(DHCP_NIC, self.start)

    def rebooted(self) -> None:
        """A boot mounts file systems of its own, and nobody's storage: what is not mounted was not
        mounted since. The lease is asked for anew."""
        self.gate.close()
        self.gate.rest({client.name for client in self.clients}, _CALLS_S)
        for directory in mounts.DIRECTORIES:
            self.book.ledger.may_become(mounts.register(directory), mounts.ABSENT)
        self.disks.stale = True
        look = self._look()
        self.rest = replace(self.rest, mounts=observe.mounts(look["mounts"]))
        deadline = time.monotonic() + _STEADY_S
        while kernel.addresses(DHCP_NIC, dump(self.site.namespace)) != self.lease:
            if time.monotonic() > deadline:
                break  # the check tells of it
            time.sleep(0.1)

    def check(self, *, whole: bool, quiet: bool = False) -> None:
        """Look at everything, while all clients rest; with `whole` at each byte of the domain too,
        with `quiet` once all is gone that may stay for a while."""
        self.checks += 1
        with self.spent.on("look"):
            look, found, told = self._seen(quiet=quiet)
        with self.book.lock:
            self._networks(found, told)
            self._mounts(look)
            self._volumes(look)
        if kernel.addresses(DHCP_NIC, found) != self.lease:
            self._wrong(LEASE, f"{self.lease} is now {kernel.addresses(DHCP_NIC, found)}")
        if whole:
            with self.spent.on("domain"):
                self._domain()

    def settle(self) -> None:
        """Let all clients come to rest. What has come to rest first, is settled first."""
        self.gate.close()
        networkers = {client.name for client in self.networkers}
        jobs = (
            self._aside("storage", self._behind({self.disks.name}, self._storage_settles)),
            self._aside("locks", self._behind(networkers, self._unlocked)),
        )
        with self.spent.on("rest"):
            stuck = self.gate.rest({client.name for client in self.clients}, _CALLS_S)
        if stuck:
            self._wrong(ENDS, f"{sorted(stuck)} still wait for answers")
        with self.spent.on("settle"):
            for job in jobs:
                job.result()
        for client in self.clients:
            if client.crash is not None:
                raise client.crash
            client.listen()

    def _aside(self, part: str, job: Callable[[], _T]) -> Future[_T]:
        def timed() -> _T:
            with self.spent.on(f"({part})"):
                return job()

        return self.outside.submit(timed)

    def _behind(self, names: AbstractSet[str], job: Callable[[], None]) -> Callable[[], None]:
        """The job, once these clients rest. Who does not is found by the others who wait."""
        return lambda: None if self.gate.rest(names, _CALLS_S) else job()

    def _wrong(self, rule: str, details: str) -> None:
        with self.book.lock:
            self.book.ledger.violate(rule, details)

    # --- what may take a moment -------------------------------------------------------------------

    def _look(self) -> observe.Look:
        look: observe.Look = self.site.agent.ask(
            "look",
            units=list(UNITS),
            domain=f"{DOMAIN_DIR}/{self.disks.engine.domain}",
            patience_s=_STEADY_S,
        )
        return look

    def _seen(self, *, quiet: bool) -> tuple[observe.Look, Dump, frozenset[str]]:
        """What the host is like, what its kernel has, and what vdsm tells, all of one time."""
        deadline = time.monotonic() + _STEADY_S
        found, told = self._kernel_and_vdsm()
        with self.spent.on("(host)"):
            look = self._look()
        unsteady, waited = observe.unsteady(look, self.rest, quiet=quiet), look["waited"]
        self.reasons = {"units"} if waited else set()
        while unsteady and time.monotonic() < deadline:
            self.reasons |= {one[:60] for one in unsteady}
            waited = True
            time.sleep(0.05)
            if quiet:
                self._aside("vdsm", self._told).result()  # unused connections end with a call
            with self.spent.on("(host again)"):
                look = self._look()
            unsteady = observe.unsteady(look, self.rest, quiet=quiet)
        for one in unsteady:
            self._wrong(STEADY, one)
        self._peak(look)
        if waited:  # then they may be of before
            wait([found, told])
            found, told = self._kernel_and_vdsm()
        try:
            return look, found.result(), told.result()
        except (Refused, Unknown) as error:
            self._wrong(TOLD, f"{error}")
            return look, found.result(), frozenset()

    def _kernel_and_vdsm(self) -> tuple[Future[Dump], Future[frozenset[str]]]:
        found = self._aside("kernel", lambda: dump(self.site.namespace))
        return found, self._aside("vdsm", self._told)

    def _peak(self, look: observe.Look) -> None:
        for unit in ("vdsm", "supervdsm"):
            counts = {"processes": len(look["processes"][unit])}
            for what, count in {**counts, **observe.descriptors(look["fds"][unit])}.items():
                name = f"{what} of {unit}"
                self.peaks[name] = max(self.peaks.get(name, 0), count)

    def _unlocked(self) -> None:
        """A change of nothing must get the lock of the network: an abandoned one has ended then."""
        nothing = {"networks": {}, "bondings": {}, "options": {"connectivityCheck": False}}
        deadline = time.monotonic() + _STEADY_S
        while True:
            try:
                self.probe.call("Host.setupNetworks", nothing)
            except (Refused, Unknown) as error:
                if time.monotonic() < deadline:
                    time.sleep(0.05)
                    continue
                self._wrong(STEADY, f"locks: {error}")
            return

    def _storage_settles(self) -> None:
        """vdsm may have been started anew: its host becomes SPM again, as an engine makes it."""
        deadline = time.monotonic() + _STEADY_S
        while True:
            try:
                wrong = self.disks.settle()
            except (Refused, Unknown, TaskFailed, AssertionError) as error:
                if time.monotonic() < deadline:
                    time.sleep(0.05)
                    continue
                wrong = [f"the host does not become SPM again: {error}"]
            break
        for one in wrong:
            self._wrong(TASKS, one)

    # --- what answers have promised ---------------------------------------------------------------

    def _networks(self, found: Dump, told: frozenset[str]) -> None:
        ledger = self.book.ledger
        everything: dict[str, Any] = {}
        for client in self.networkers:
            wrongs = {
                value: kernel.wrong(json.loads(value), client.nics, found)
                + kernel.wrongly_told(json.loads(value), client.nics, told)
                for value in ledger.allowed[client.register]
            }
            text = "; or ".join(f"not {value}: {wrong}" for value, wrong in wrongs.items())
            ledger.settle(client.register, lambda value: not wrongs[value], text)  # noqa: B023
            # Those that are left differ in nothing that can be seen.
            ledger.define(client.register, min(ledger.allowed[client.register]))
            networks = json.loads(ledger.value(client.register))
            everything |= networks
            self._same(networks, client.nics, found)
        for one in kernel.leftovers(everything, found, self.start):
            self._wrong(STEADY, f"network: {one}")
        if strange := told - everything.keys() - {DHCP_NETWORK}:
            self._wrong(TOLD, f"there are no {sorted(strange)}")

    def _same(self, networks: Mapping[str, Any], nics: Sequence[str], found: Dump) -> None:
        for name, part in kernel.part(networks, nics, found).items():
            key = f"{name} {json.dumps(networks[name], sort_keys=True)}"
            first = self._known.setdefault(key, part)
            if first != part:
                self._wrong(SAME, f"{key}: {difference(first, part)}")

    def _mounts(self, look: observe.Look) -> None:
        paths = [path for path in look["mounts"] if path.startswith(observe.STORAGE)]
        expected = {_DOMAIN_MOUNT}
        for directory in mounts.DIRECTORIES:
            target = mounts.target(directory)
            expected.add(target)
            count = paths.count(target)
            now = {0: mounts.ABSENT, 1: mounts.MOUNTED}.get(count, f"mounted {count} times")
            self.book.ledger.settle(mounts.register(directory), now.__eq__, now)
        strange = [path for path in paths if path not in expected]
        if strange or paths.count(_DOMAIN_MOUNT) != 1:
            self._wrong(STEADY, f"mounts of storage: {paths}")

    def _volumes(self, look: observe.Look) -> None:
        ledger = self.book.ledger
        there = set(look["volumes"])
        names = [name for name in ledger.allowed if name.startswith(disks.register(""))]
        for name in names:
            now = disks.THERE if name.removeprefix(disks.register("")) in there else disks.ABSENT
            ledger.settle(name, now.__eq__, now)
        for volume in sorted(there - {name.removeprefix(disks.register("")) for name in names}):
            self._wrong(STEADY, f"volume {volume} is nobody's")
        self.disks.tidy()

    def _told(self) -> frozenset[str]:
        """The networks that vdsm tells of. Raises Refused, Unknown."""
        return frozenset(self.probe.call("Host.getNetworkCapabilities")["networks"])

    def _domain(self) -> None:
        with tempfile.TemporaryDirectory(prefix="vdsm-chaos-") as directory:
            copy = Path(directory) / self.disks.engine.domain
            self.site.machine.copy_out(f"{DOMAIN_DIR}/{self.disks.engine.domain}", copy)
            for problem in consistency.check(copy, leases=False).problems:
                self._wrong(WHOLE, problem)


DHCP_NETWORK: Final = "leased"
