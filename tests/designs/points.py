# SPDX-License-Identifier: GPL-2.0-or-later
"""The points at which each design is killed, and what was seen there."""

import random
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from designs import LOOK_S
from designs.host import Host

PATIENCE_S: Final = 12.0
"""How long a client tries again until it says that there was no recovery."""
_SETTLE_S: Final = LOOK_S + 0.5
"""After this, whoever looks for the other half has looked."""
_UNKNOWN: Final = frozenset({"SupervdsmDied", "SupervdsmTimeout", "vdsm is lost", "TimedOut"})
"""Answers that leave open whether the call was done."""
_DONE: Final = frozenset({"ok", "KernelSettingFailed", "Unexpected"})
"""Answers of a verb that has run."""


@dataclass
class Seen:
    """What one round saw."""

    answers: dict[str, str] = field(default_factory=dict)
    """How each call ended that the fault may have met, by its id."""
    later: Counter[str] = field(default_factory=Counter)
    """How later calls ended until one was served, that one excluded."""
    recovery_s: float | None = None
    """From the fault to the first call that was served."""
    most: dict[str, int] = field(default_factory=dict)
    crowded_s: float = 0.0
    orphans: int = 0
    lost: int = 0
    """Calls that were said to be done, and were not."""
    twice: int = 0
    """Calls that were done twice."""
    unsaid: int = 0
    """Calls that were done, whose clients were told of no outcome."""
    skewed: int = 0
    """Calls of one release that a helper of another release did."""


class Round:
    """One host at one point."""

    def __init__(self, host: Host, random_: random.Random) -> None:
        self.host = host
        self.random = random_
        self.seen = Seen()
        self._pool = ThreadPoolExecutor(16)
        self._number = 0
        self._began: float | None = None

    def call(self, verb: str, *args: float, victim: bool = True) -> "Future[str]":
        """Makes a call in a thread of its own."""
        self._number += 1
        name = f"call{self._number}"

        def ask() -> str:
            outcome = self.host.ask(verb, name, *args)
            if victim:
                self.seen.answers[name] = outcome
            return outcome

        return self._pool.submit(ask)

    def served(self) -> None:
        """Waits until a call is served: all is as it should be."""
        end = time.monotonic() + 30
        while self.host.ask("work", "warm", 0, 0) != "ok":
            if time.monotonic() > end:
                raise TimeoutError((self.host.place / "log").read_text()[-3000:])
            time.sleep(0.05)

    def running(self) -> "Future[str]":
        """A call that the helper has begun and that takes a while."""
        call = self.call("work", 0.4 + self.random.uniform(0, 0.2), 0.3)
        name = f"call{self._number}"
        end = time.monotonic() + 10
        while not any(one == name for one, _, _ in self.host.effects()):
            if time.monotonic() > end:
                raise TimeoutError("the call does not begin")
            time.sleep(0.002)
        return call

    def fault(self, when: float | None = None) -> None:
        self._began = time.monotonic() if when is None else when

    def recover(self, width: int = 1) -> None:
        """Tries again, as clients would, until so many calls at once are served."""
        assert self._began is not None
        while time.monotonic() < self._began + PATIENCE_S:
            calls = [self.call("work", 0, 0.2 * (width > 1), victim=False) for _ in range(width)]
            outcomes = Counter(call.result() for call in calls)
            if set(outcomes) == {"ok"}:
                self.seen.recovery_s = time.monotonic() - self._began
                return
            del outcomes["ok"]
            self.seen.later += outcomes
            time.sleep(0.02)

    def judge(self) -> Seen:
        """Waits for what is under way, and counts."""
        assert self._began is not None
        self._pool.shutdown(wait=True)
        time.sleep(max(0.0, self._began + _SETTLE_S - time.monotonic()))
        watcher, seen = self.host.watcher, self.seen
        seen.orphans = sum(max(0, len(watcher.living(role)) - 1) for role in ("helper", "vdsm"))
        seen.most, seen.crowded_s = dict(watcher.most), watcher.crowded_s
        effects = self.host.effects()
        done = Counter(call for call, _, what in effects if what == "done")
        for call, answer in seen.answers.items():
            seen.lost += answer in _DONE and not done[call]
            seen.unsaid += answer in _UNKNOWN and bool(done[call])
        seen.twice = sum(count > 1 for call, count in done.items() if call != "warm")
        return seen


def first_launch(this: Round) -> None:
    """Eight clients call as soon as vdsm is there, and half a second before the helper is."""
    this.fault()
    this.host.start(pause_s=0.5)
    while not (this.host.place / "api.sock").exists():
        time.sleep(0.005)
    for call in [this.call("work", 0, 0) for _ in range(8)]:
        call.result()
    this.recover()


def declared_error(this: Round) -> None:
    """A verb fails as it may."""
    _begin(this)
    this.fault()
    this.call("fail_declared").result()
    this.recover()


def undeclared_error(this: Round) -> None:
    """A verb fails as nobody declared, while another call runs."""
    _begin(this)
    other = this.running()
    this.fault()
    this.call("fail_undeclared").result()
    this.recover()
    other.result()


def killed_during(this: Round) -> None:
    """The helper is killed while it does a call."""
    _begin(this)
    call = this.running()
    time.sleep(this.random.uniform(0, 0.9))
    this.fault(this.host.kill("helper"))
    call.result()
    this.recover()


def killed_before(this: Round) -> None:
    """The helper is killed while nothing is to be done; then four clients call."""
    _begin(this)
    this.fault(this.host.kill("helper"))
    for call in [this.call("work", 0, 0) for _ in range(4)]:
        call.result()
    this.recover()


def killed_in_silence(this: Round) -> None:
    """The helper is killed, and nobody calls for 3 s; recovery is from the first call on."""
    _begin(this)
    this.host.kill("helper")
    time.sleep(_SETTLE_S + 0.5)
    this.fault()
    for call in [this.call("work", 0, 0) for _ in range(4)]:
        call.result()
    this.recover()


def hang(this: Round) -> None:
    """The thread of the helper that takes connections hangs; then four clients call at once."""
    _begin(this)
    this.host.ask("hang")
    this.fault()
    for call in [this.call("work", 0, 0.2) for _ in range(4)]:
        call.result()
    this.recover(width=4)


def vdsm_killed(this: Round) -> None:
    """vdsm is killed while the helper does a call for it."""
    _begin(this)
    call = this.running()
    this.fault(this.host.kill("vdsm"))
    call.result()
    this.recover()


def both_killed(this: Round) -> None:
    """Both are killed at once while a call is done."""
    _begin(this)
    call = this.running()
    this.host.end(*(this.host.watcher.living(role)[-1] for role in ("helper", "vdsm")))
    this.fault()
    call.result()
    this.recover()


def skewed(this: Round) -> None:
    """A new release is on the disk when the helper dies; vdsm is still the old one."""
    _begin(this)
    this.host.release("2")
    old = this.host.watcher.living("vdsm")
    this.fault(this.host.kill("helper"))
    for call in [this.call("work", 0, 0) for _ in range(4)]:
        call.result()
    calls = [call for call, answer in this.seen.answers.items() if answer == "ok"]
    if this.host.watcher.living("vdsm") == old:
        done = {call: release for call, release, what in this.host.effects() if what == "done"}
        this.seen.skewed = sum(done.get(call) == "2" for call in calls)
    # Whoever changed the code ends the update: both are started anew.
    living = this.host.watcher.living
    this.host.end(*(pid for role in ("helper", "vdsm") for pid in living(role)[-1:]))
    this.recover()


def _begin(this: Round) -> None:
    this.host.start()
    this.served()


POINTS: Final[dict[str, Callable[[Round], None]]] = {
    "1": first_launch,
    "2": declared_error,
    "2b": undeclared_error,
    "3": killed_during,
    "4": killed_before,
    "4b": killed_in_silence,
    "5": hang,
    "6": vdsm_killed,
    "7": both_killed,
    "8": skewed,
}
"""By the row of the design's table of flows."""


def play(design: str, point: str, place: Path, seed: str) -> Seen:
    """One design at one point, once."""
    with Host(design, place) as host:
        this = Round(host, random.Random(seed))
        POINTS[point](this)
        return this.judge()
