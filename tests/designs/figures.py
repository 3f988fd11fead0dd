# SPDX-License-Identifier: GPL-2.0-or-later
"""From what the rounds saw to tables. Pure."""

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from designs.points import POINTS, Seen

_HEAD: Final = (
    "| | answers to the calls that the fault met | refused until one is served | helpers, vdsms at"
    " once | both old and new for | orphans | lost | twice | done, not told | skewed | recovery |\n"
    "|---|---|---|---|---|---|---|---|---|---|---|\n"
)


def table(results: Mapping[str, Mapping[str, Sequence[Seen]]]) -> str:
    """A table for each point, with a row for each design."""
    parts = []
    for point, designs in results.items():
        about = (POINTS[point].__doc__ or "").rstrip(".")
        rows = "".join(_row(design, seen) for design, seen in designs.items())
        parts.append(f"### {point}. {about}\n\n{_HEAD}{rows}")
    return "\n".join(parts)


def _row(design: str, rounds: Sequence[Seen]) -> str:
    answers: Counter[str] = Counter()
    later: Counter[str] = Counter()
    for seen in rounds:
        answers.update(seen.answers.values())
        later += seen.later
    most = [max(seen.most.get(role, 0) for seen in rounds) for role in ("helper", "vdsm")]
    crowded = statistics.median(seen.crowded_s for seen in rounds)
    cells = (
        _counted(answers),
        _counted(later),
        f"{most[0]}, {most[1]}",
        f"{crowded:.1f} s" if crowded else "0",
        *(
            str(sum(getattr(seen, name) for seen in rounds))
            for name in ("orphans", "lost", "twice", "unsaid", "skewed")
        ),
        recovery([seen.recovery_s for seen in rounds]),
    )
    return f"| {design} | {' | '.join(cells)} |\n"


def _counted(words: Counter[str]) -> str:
    return ", ".join(f"{count} {word}" for word, count in words.most_common()) or "none"


def recovery(times: Sequence[float | None]) -> str:
    """The median and the worst; how often there was none."""
    known = [time for time in times if time is not None]
    never = len(times) - len(known)
    if not known:
        return f"none in {never}"
    text = f"{statistics.median(known):.2f} s ({max(known):.2f})"
    return f"{text}, none in {never}" if never else text
