# SPDX-License-Identifier: GPL-2.0-or-later
"""Tables of records, and the place in a document that is theirs. Pure."""

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Final

from records import Record

_BEGIN: Final = "<!-- figures: {} -->"
_END: Final = "<!-- end of figures -->"
_SCALES: Final = ((1.0, "s", 1.0), (1e-3, "ms", 1e3), (0.0, "µs", 1e6))


def replaced(text: str, name: str, figures: str) -> str:
    """Return `text` with what stands between the marks of `name` replaced.

    Raises ValueError when the marks are not there, each once and in order.
    """
    begin = _BEGIN.format(name)
    head, found, rest = text.partition(begin)
    _, ended, tail = rest.partition(_END)
    if not found or not ended or begin in rest:
        raise ValueError(f"the document has no place for {name}")
    return f"{head}{begin}\n\n{figures.strip()}\n\n{_END}{tail}"


def places(text: str) -> list[str]:
    """Return the names of all places in a document, in their order."""
    head, tail = _BEGIN.split("{}")
    return [line[len(head) : -len(tail)] for line in text.splitlines() if line.startswith(head)]


def quantity(value: float, unit: str) -> str:
    """Return a value for a person: three digits, and a unit that fits."""
    if unit != "s":
        return f"{_three(value)} {unit}" if unit != "times" else f"{value:.2f} x"
    for least, name, factor in _SCALES:
        if value >= least:
            return f"{_three(value * factor)} {name}"
    return f"{value} s"


def tables(records: Iterable[Record]) -> str:
    """Return a table for each case, in Markdown; the records of a case in the order of scales."""
    ordered = sorted(records, key=lambda one: one.case)
    return "\n\n".join(
        _table(case, list(group)) for case, group in groupby(ordered, key=lambda one: one.case)
    )


def _table(case: str, records: Sequence[Record]) -> str:
    rows = [("what", "scale", "median", "quartiles", "p99", "worst", "calls/s", "ratio", "n")]
    for one in sorted(records, key=lambda one: (one.scale, one.ratio or 1e9, one.what)):
        many = one.n > one.repeats
        rows.append(
            (
                one.what,
                f"{one.scale:,.0f}" if one.scale else "",
                quantity(one.p50, one.unit),
                " to ".join(quantity(edge, one.unit) for edge in one.spread) if one.n > 1 else "",
                quantity(one.p99, one.unit) if many else "",
                quantity(one.worst, one.unit) if one.n > 1 else "",
                f"{one.rate:,.0f}" if one.rate else "",
                f"{one.ratio:.2f}" if one.ratio else "",
                f"{one.n:,}",
            )
        )
    kept = [column for column in zip(*rows, strict=True) if any(column[1:])]
    lines = ["| " + " | ".join(row) + " |" for row in zip(*kept, strict=True)]
    lines.insert(1, "|" + "|".join("---" if n == 0 else "---:" for n in range(len(kept))) + "|")
    floor = next((one.ratio_to for one in records if one.ratio_to), "")
    title = f"**{case}**" + (f" (ratio: to {floor})" if floor else "")
    return "\n".join([title, "", *lines])


def _three(value: float) -> str:
    if value == 0:
        return "0"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
