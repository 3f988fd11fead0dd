# SPDX-License-Identifier: GPL-2.0-or-later
"""What must be true, without any I/O: calls and their answers, and what they may have left.

A *register* is a thing that calls change and that can be looked at from outside, such as the
networks of one client, or one volume. It has the values that are *allowed*: one, as long as all
outcomes are known; both the old and the new one after a call whose outcome is not. Whoever owns a
register changes it by one call at a time, and not while it is in doubt.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from itertools import takewhile


class Outcome(Enum):
    """What the caller knows of its call."""

    DONE = "done"
    REFUSED = "refused"
    """It had no effect."""
    UNKNOWN = "unknown"
    """The connection was lost, or supervdsm died during it: it had its effect or none."""


@dataclass
class Call:
    """A call under way or ended. Times are on one monotonic clock, in seconds."""

    id: str
    verb: str
    began: float
    writes: Mapping[str, str]
    """The values that registers get if it is done."""
    ended: float | None = None
    outcome: Outcome | None = None
    saw: str = ""
    """What the caller saw: "ok", the name of an error, or "lost"."""


@dataclass(frozen=True)
class Violation:
    """Something that must never be."""

    rule: str
    details: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.details}"


ONCE = "each call is answered at most once"
ASKED = "no answer without a question"
ENDS = "each call ends"
RIGHT = "an answer is about its question"
EFFECT = "effects match answers"


@dataclass
class Ledger:
    """All calls, what they may have left, and what was wrong."""

    calls: dict[str, Call] = field(default_factory=dict)
    open: dict[str, Call] = field(default_factory=dict)
    """Those under way."""
    ended: list[Call] = field(default_factory=list)
    """The others, in the order of their ends."""
    allowed: dict[str, frozenset[str]] = field(default_factory=dict)
    violations: list[Violation] = field(default_factory=list)

    # --- calls ------------------------------------------------------------------------------------

    def begin(
        self, identity: str, verb: str, now: float, writes: Mapping[str, str] | None = None
    ) -> None:
        """A call is about to be sent."""
        for name in writes or {}:
            if self.in_doubt(name):
                raise ValueError(f"{name} is in doubt")
        call = Call(identity, verb, now, dict(writes or {}))
        self.calls[identity] = self.open[identity] = call

    def answer(self, identity: str, now: float, outcome: Outcome, saw: str) -> None:
        """An answer came, or the call is lost (outcome UNKNOWN)."""
        call = self.calls.get(identity)
        if call is None:
            self.violate(ASKED, f"an answer with the id {identity!r}: {saw}")
        elif call.ended is not None:
            self.violate(ONCE, f"{call.verb} {identity} ended as {call.saw!r}, and then: {saw}")
        else:
            call.ended, call.outcome, call.saw = now, outcome, saw
            self.ended.append(self.open.pop(identity))
            self._apply(call.writes, outcome)

    def lose(self, identity: str, now: float, saw: str = "lost") -> None:
        """The connection ended: there will be no answer, unless there was one."""
        if self.calls[identity].ended is None:
            self.answer(identity, now, Outcome.UNKNOWN, saw)

    def check_ends(self, now: float, limit_s: float) -> None:
        """No call has been under way for longer than that."""
        for call in self.open.values():
            if now - call.began > limit_s:
                self.violate(ENDS, f"{call.verb} {call.id} has no end after {limit_s:.0f} s")

    # --- registers --------------------------------------------------------------------------------

    def define(self, name: str, value: str) -> None:
        """A register has this value, and no other."""
        self.allowed[name] = frozenset({value})

    def forget(self, name: str) -> None:
        """A register is gone for good."""
        del self.allowed[name]

    def in_doubt(self, name: str) -> bool:
        return len(self.allowed[name]) > 1

    def value(self, name: str) -> str:
        """The value of a register that is not in doubt."""
        (value,) = self.allowed[name]
        return value

    def may_become(self, name: str, value: str) -> None:
        """Something other than a call may change a register."""
        self.allowed[name] |= {value}

    def _apply(self, writes: Mapping[str, str], outcome: Outcome) -> None:
        for name, value in writes.items():
            if outcome is Outcome.DONE:
                self.define(name, value)
            elif outcome is Outcome.UNKNOWN:
                self.may_become(name, value)

    def settle(self, name: str, matches: Callable[[str], bool], found: str) -> None:
        """The register was looked at while nothing went on: what `matches` is its value now.

        `found` says what was seen. If it is none of those allowed, that is a violation, and the
        register stays as it is.
        """
        now = frozenset(filter(matches, self.allowed[name]))
        if now:
            self.allowed[name] = now
        else:
            either = " or ".join(sorted(self.allowed[name]))
            self.violate(EFFECT, f"{name} is {found}, and must be {either}")

    # --- what was wrong ---------------------------------------------------------------------------

    def violate(self, rule: str, details: str) -> None:
        self.violations.append(Violation(rule, details))

    def saw(self, since: float) -> list[Call]:
        """The calls that ended since then."""
        recent = takewhile(lambda call: (call.ended or 0) >= since, reversed(self.ended))
        return list(recent)
