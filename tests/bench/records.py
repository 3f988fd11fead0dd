# SPDX-License-Identifier: GPL-2.0-or-later
"""What a measurement leaves: one record for each thing and size, as JSON, one a line.

A record stands for several repeats that took turns with those of its peers: its figures are the
medians of theirs, `spread` the quartiles of their medians. Programs in machines print records among
what people read; `MARK` begins such a line.
"""

import json
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from stats import Summary, quartiles

MARK: Final = "record "


@dataclass(frozen=True)
class Record:
    """`part` and `case` say where it belongs, `what` who was measured, `scale` how large it was.

    `p50`, `p99`, `worst` and the quartiles `spread` are in `unit`; `rate` is calls a second, 0
    where that makes no sense; `ratio` is how many times the p50 of `ratio_to` this one's is.
    """

    part: str
    case: str
    what: str
    scale: float
    n: int
    repeats: int
    p50: float
    p99: float
    worst: float
    spread: tuple[float, float]
    unit: str = "s"
    rate: float = 0.0
    ratio_to: str = ""
    ratio: float = 0.0

    @property
    def key(self) -> tuple[str, str, str, float]:
        """What a later record of the same thing replaces."""
        return (self.part, self.case, self.what, self.scale)


def merged(part: str, case: str, what: str, scale: float, repeats: Sequence[Summary]) -> Record:
    """Return the record of several repeats."""
    return Record(
        part=part,
        case=case,
        what=what,
        scale=scale,
        n=sum(one.n for one in repeats),
        repeats=len(repeats),
        p50=statistics.median(one.p50 for one in repeats),
        p99=statistics.median(one.p99 for one in repeats),
        worst=max(one.worst for one in repeats),
        spread=quartiles([one.p50 for one in repeats]),
        rate=statistics.median(one.rate for one in repeats),
    )


def of_values(
    part: str, case: str, what: str, scale: float, values: Sequence[float], unit: str = "s"
) -> Record:
    """Return the record of values that are each a repeat, such as sizes or whole runs."""
    return Record(
        part=part,
        case=case,
        what=what,
        scale=scale,
        n=len(values),
        repeats=len(values),
        p50=statistics.median(values),
        p99=max(values),
        worst=max(values),
        spread=quartiles(values),
        unit=unit,
    )


def compared(records: Iterable[Record], floor: str) -> list[Record]:
    """Return the records with their ratio to the one named `floor` of the same case and scale."""
    found = list(records)
    floors = {(r.part, r.case, r.scale): r.p50 for r in found if r.what == floor}
    return [
        replace(record, ratio_to=floor, ratio=record.p50 / at)
        if (at := floors.get((record.part, record.case, record.scale)))
        else record
        for record in found
    ]


def encode(record: Record) -> str:
    """Return a record as one line."""
    return json.dumps(asdict(record))


def decode(line: str) -> Record:
    """Return the record in a line."""
    fields: dict[str, Any] = json.loads(line)
    return Record(**{**fields, "spread": tuple(fields["spread"])})


def updated(old: Iterable[Record], new: Iterable[Record]) -> list[Record]:
    """Return the old records with those parts that were measured anew replaced as a whole: figures
    of two runs are no comparison."""
    fresh = list(new)
    parts = {record.part for record in fresh}
    latest: Mapping[tuple[str, str, str, float], Record] = {one.key: one for one in fresh}
    return [one for one in old if one.part not in parts] + list(latest.values())


def read(path: Path) -> list[Record]:
    """Return the records of a file; none when there is no file."""
    if not path.exists():
        return []
    return [decode(line) for line in path.read_text().splitlines()]


def write(path: Path, records: Iterable[Record]) -> None:
    """Write a file of records, in an order of their own."""
    lines = [encode(one) for one in sorted(records, key=lambda record: record.key)]
    path.write_text("".join(f"{line}\n" for line in lines))
