# SPDX-License-Identifier: GPL-2.0-or-later
"""What a run has seen, for a person and for a program; without any I/O."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from chaos.model import Call, Violation


@dataclass(frozen=True)
class Survived:
    """One fault, and what came of it. Times are in seconds."""

    number: int
    title: str
    recovery_s: float
    saw: Counter[str]
    """What callers saw from the fault until the recovery."""
    longest_s: float
    """The longest call of these."""
    all_s: float = 0.0
    """From the load before it to the end of the check behind it."""


@dataclass
class Result:
    """A whole run."""

    seed: int
    seconds: float = 0.0
    calls: int = 0
    checks: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    survived: list[Survived] = field(default_factory=list)
    violations: list[tuple[int, str, Violation]] = field(default_factory=list)
    """With the number and the title of the fault behind which it was seen."""
    peaks: dict[str, int] = field(default_factory=dict)
    """The most that was seen of a thing while nothing went on."""
    spent: Mapping[str, float] = field(default_factory=dict)
    """Where the seconds of the run went. What is in parentheses is a part of others."""


def survived(
    number: int, title: str, began: float, recovered: float, calls: Iterable[Call]
) -> Survived:
    """Sum up the calls that ended meanwhile."""
    seen = [call for call in calls if call.ended is not None and call.ended <= recovered]
    longest = max((call.ended - call.began for call in seen if call.ended), default=0.0)
    return Survived(
        number, title, max(recovered - began, 0.0), Counter(call.saw for call in seen), longest
    )


def percentile(values: Sequence[float], share: float) -> float:
    """The value that `share` of the values do not exceed."""
    ordered = sorted(values)
    return ordered[max(math.ceil(share * len(ordered)), 1) - 1]


def kinds(result: Result) -> dict[str, dict[str, Any]]:
    """The table: a row for each kind of fault."""
    by_title: dict[str, list[Survived]] = defaultdict(list)
    for one in result.survived:
        by_title[one.title].append(one)
    rows = {}
    for title, group in sorted(by_title.items()):
        times = [one.recovery_s for one in group]
        saw: Counter[str] = sum((one.saw for one in group), Counter())
        rows[title] = {
            "faults": len(group),
            "p50_s": round(percentile(times, 0.5), 2),
            "p99_s": round(percentile(times, 0.99), 2),
            "worst_s": round(max(times), 2),
            "all_mean_s": round(sum(one.all_s for one in group) / len(group), 2),
            "longest_call_s": round(max(one.longest_s for one in group), 2),
            "saw": dict(saw.most_common()),
        }
    return rows


def as_json(result: Result) -> dict[str, Any]:
    """All of it, for json.dumps()."""
    return {
        "seed": result.seed,
        "seconds": round(result.seconds, 1),
        "calls": result.calls,
        "outcomes": dict(result.outcomes.most_common()),
        "faults": len(result.survived),
        "checks": result.checks,
        "kinds": kinds(result),
        "peaks": result.peaks,
        "spent_s": {part: round(spent, 1) for part, spent in result.spent.items()},
        "violations": [
            {"fault": number, "title": title, "rule": one.rule, "details": one.details}
            for number, title, one in result.violations
        ],
    }


def _shares(result: Result) -> str:
    most = sorted(result.spent.items(), key=lambda item: ("(" in item[0], -item[1]))
    count = max(len(result.survived), 1)
    return ", ".join(f"{part} {spent / count:.2f}" for part, spent in most)


def as_text(result: Result) -> str:
    """The same for a person."""
    rows = kinds(result)
    width = max(map(len, rows), default=5)
    lines = [
        f"{'fault':{width}}  count  recovery p50    p99  worst  longest call  all in  callers saw"
    ]
    for title, row in rows.items():
        saw = ", ".join(f"{name} {count}" for name, count in row["saw"].items())
        lines.append(
            f"{title:{width}}  {row['faults']:5}  {row['p50_s']:10.2f} s  {row['p99_s']:5.2f}"
            f"  {row['worst_s']:5.2f}  {row['longest_call_s']:10.2f} s  {row['all_mean_s']:6.2f}"
            f"  {saw or 'nothing'}"
        )
    outcomes = ", ".join(f"{name} {count}" for name, count in result.outcomes.most_common())
    peaks = ", ".join(f"{name} {count}" for name, count in sorted(result.peaks.items()))
    lines += [
        "",
        f"{len(result.survived)} faults in {result.seconds:.0f} s, {result.checks} checks",
        f"{result.calls} calls: {outcomes}",
        f"at rest at most: {peaks}",
        f"seconds of a fault: {_shares(result)}",
    ]
    for number, title, one in result.violations:
        lines.append(f"VIOLATION behind fault {number} ({title}): {one}")
    verdict = "no violation" if not result.violations else f"{len(result.violations)} VIOLATIONS"
    lines.append(f"{verdict}; seed {result.seed}")
    return "\n".join(lines)
