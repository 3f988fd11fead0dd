# SPDX-License-Identifier: GPL-2.0-or-later
"""Everything that must be true while nothing goes on, looked at in the test host."""

import json
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from chaos import kernel, observe
from chaos.load import disks, mounts
from chaos.load.client import Book, Client, Refused, Unknown
from chaos.load.disks import Disks
from chaos.load.networks import Networker
from chaos.site import DHCP_NIC, DHCP_UNIT, DOMAIN_DIR, Site
from faults.kernel_dump import Dump, difference, dump
from storage import consistency
from storage.engine import Refused as TaskFailed

UNITS: Final = ("vdsm", "supervdsm", "vdsm-lldpd", DHCP_UNIT)
_DOMAIN_MOUNT: Final = mounts.target(DOMAIN_DIR)
_STEADY_S: Final = 30.0

STEADY: Final = "nothing is leaked, and everything comes back"
SAME: Final = "the same networks are always the same in the kernel"
TOLD: Final = "vdsm tells of the networks that there are"
TASKS: Final = "each task ends, done or undone"
WHOLE: Final = "the storage domain is whole"
LEASE: Final = "a lease outlives what dies"


@dataclass
class Checker:
    """Looks while all clients wait. `probe` is a client for its own calls."""

    site: Site
    book: Book
    networkers: Sequence[Networker]
    disks: Disks
    probe: Client
    rest: observe.Rest = field(init=False)
    start: Dump = field(init=False)
    lease: list[str] = field(init=False)
    _known: dict[str, Any] = field(default_factory=dict)
    """What the kernel had of a network with its attributes when they were first seen."""
    peaks: dict[str, int] = field(default_factory=dict)
    checks: int = 0

    def begin(self) -> None:
        """Take the host as it is for how it must be at rest."""
        self.rest = observe.at_rest(self._look())
        self.start = dump(self.site.namespace)
        self.lease = kernel.addresses(DHCP_NIC, self.start)

    def rebooted(self) -> None:
        """A boot mounts file systems of its own, and nobody's storage: what is not mounted was not
        mounted since."""
        for directory in mounts.DIRECTORIES:
            self.book.ledger.may_become(mounts.register(directory), mounts.ABSENT)
        self.disks.stale = True
        look = self._look()
        old = self.rest
        self.rest = observe.Rest(old.containers, observe.mounts(look["mounts"]), old.fds)

    def check(self, *, whole: bool) -> None:
        """Look at everything; with `whole` at each byte of the domain too."""
        self.checks += 1
        self._storage_settles()
        self._unlocked()
        look = self._steady()
        found, told = dump(self.site.namespace), self._told()
        with self.book.lock:
            self._networks(found, told)
            self._mounts(look)
            self._volumes(look)
        if kernel.addresses(DHCP_NIC, found) != self.lease:
            self._wrong(LEASE, f"{self.lease} is now {kernel.addresses(DHCP_NIC, found)}")
        if whole:
            self._domain()

    def _wrong(self, rule: str, details: str) -> None:
        with self.book.lock:
            self.book.ledger.violate(rule, details)

    # --- what may take a moment -------------------------------------------------------------------

    def _look(self) -> observe.Look:
        domain = f"{DOMAIN_DIR}/{self.disks.engine.domain}"
        look: observe.Look = self.site.agent.ask("look", units=list(UNITS), domain=domain)
        return look

    def _steady(self) -> observe.Look:
        """Look until all is as it must be, or for too long."""
        deadline = time.monotonic() + _STEADY_S
        while True:
            health = self.site.agent.ask("health")
            look = self._look()
            unsteady = observe.unsteady(look, self.rest, health)
            if not unsteady or time.monotonic() > deadline:
                break
            time.sleep(0.1)
        for one in unsteady:
            self._wrong(STEADY, one)
        for unit in ("vdsm", "supervdsm"):
            for what in ("fds", "processes"):
                name = f"{what} of {unit}"
                self.peaks[name] = max(self.peaks.get(name, 0), len(look[what][unit]))
        return look

    def _unlocked(self) -> None:
        """A change of nothing must get the lock of the network: an abandoned one has ended then."""
        nothing = {"networks": {}, "bondings": {}, "options": {"connectivityCheck": False}}
        deadline = time.monotonic() + _STEADY_S
        while True:
            try:
                self.probe.call("Host.setupNetworks", nothing)
            except (Refused, Unknown) as error:
                if time.monotonic() < deadline:
                    time.sleep(0.1)
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
                    time.sleep(0.1)
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
        """The networks that vdsm tells of."""
        try:
            return frozenset(self.probe.call("Host.getNetworkCapabilities")["networks"])
        except (Refused, Unknown) as error:
            self._wrong(TOLD, f"{error}")
            return frozenset()

    def _domain(self) -> None:
        with tempfile.TemporaryDirectory(prefix="vdsm-chaos-") as directory:
            copy = Path(directory) / self.disks.engine.domain
            self.site.machine.copy_out(f"{DOMAIN_DIR}/{self.disks.engine.domain}", copy)
            for problem in consistency.check(copy, leases=False).problems:
                self._wrong(WHOLE, problem)


DHCP_NETWORK: Final = "leased"
