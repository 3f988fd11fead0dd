# SPDX-License-Identifier: GPL-2.0-or-later
"""Times calls, prints what a person compares, and leaves records of it.

Those that are compared take turns: what else the machine does then falls on all of them alike.
"""

import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

import records
import stats
from records import Record
from stats import Summary

REPEATS: Final = 5
COLLECTED: Final = "BENCH_RECORDS"
"""In the environment when somebody collects the records."""

Call = Callable[[], object]


def timed(call: Call, *, seconds: float) -> Summary:
    """Make calls one after the other for a while."""
    times = []
    start = now = time.perf_counter()
    end = start + seconds
    while now < end:
        call()
        after = time.perf_counter()
        times.append(after - now)
        now = after
    return stats.summary(times, now - start)


def timed_threads(connect: Callable[[], Call], *, threads: int, seconds: float) -> Summary:
    """Make calls for a while from several threads at once, each on what `connect` gave it."""
    times: list[list[float]] = [[] for _ in range(threads)]
    ready = threading.Barrier(threads + 1)
    failed: list[BaseException] = []

    def work(mine: list[float]) -> None:
        try:
            call = connect()
            call()
        except BaseException as error:
            failed.append(error)
            ready.abort()
            raise
        ready.wait()
        now = time.perf_counter()
        end = now + seconds
        while now < end:
            call()
            after = time.perf_counter()
            mine.append(after - now)
            now = after

    workers = [threading.Thread(target=work, args=(mine,)) for mine in times]
    for worker in workers:
        worker.start()
    try:
        ready.wait()
    except threading.BrokenBarrierError:
        raise SystemExit(f"a thread could not connect: {failed}") from None
    start = time.perf_counter()
    for worker in workers:
        worker.join()
    took = time.perf_counter() - start
    return stats.summary([one for mine in times for one in mine], took)


def in_turns(
    part: str,
    case: str,
    scale: float,
    contenders: Mapping[str, Callable[[], Summary]],
    *,
    floor: str,
    repeats: int = REPEATS,
) -> list[Record]:
    """Let all contenders run in turn, several times; print and record what came of it.

    The first turn of each warms it up and is not counted.
    """
    found: dict[str, list[Summary]] = {what: [] for what in contenders}
    for turn in range(repeats + 1):
        for what, run in contenders.items():
            one = run()
            if turn:
                found[what].append(one)
    made = [records.merged(part, case, what, scale, all_) for what, all_ in found.items()]
    return told(records.compared(made, floor))


def told(made: Sequence[Record]) -> list[Record]:
    """Print records, for people and for who collects them; return them."""
    for one in made:
        where = f"{one.case}, {one.what}" + (f", {one.scale:g}" if one.scale else "")
        print(f"{where:<60} {_figures(one)}", flush=True)
        if COLLECTED in os.environ:
            print(records.MARK + records.encode(one), flush=True)
    return list(made)


def _figures(one: Record) -> str:
    if one.unit != "s":
        text = f"{one.p50:10.2f} {one.unit}"
    else:
        text = f"p50 {one.p50 * 1e3:9.4f} ms  p99 {one.p99 * 1e3:9.4f} ms  n {one.n}"
    if one.rate:
        text += f" {one.rate:9.0f}/s"
    if one.ratio:
        text += f"  {one.ratio:6.2f} x {one.ratio_to}"
    return text


# --- one after the other ------------------------------------------------------------------------


class Section:
    """A part whose measurements come one after the other, as each changes what it measures."""

    def __init__(self, part: str, case: str) -> None:
        self.part = part
        self.case = case

    def latency(self, what: str, call: Call, count: int, scale: float = 0) -> float:
        """Make `count` calls one after the other; return the median of their times in seconds."""
        times = []
        for _ in range(count):
            start = time.monotonic()
            call()
            times.append(time.monotonic() - start)
        return self.show(what, times, scale)

    def show(self, what: str, times: Sequence[float], scale: float = 0) -> float:
        """Tell of `times` (seconds); return their median."""
        one = records.merged(self.part, self.case, what, scale, [stats.summary(times)])
        [told_] = told([replace(one, spread=stats.quartiles(times), rate=0.0)])
        return told_.p50

    def value(self, what: str, value: float, unit: str, scale: float = 0) -> float:
        """Tell of a value, such as a size; return it."""
        told([records.of_values(self.part, self.case, what, scale, [value], unit)])
        return value

    def ratio(self, what: str, ours: float, floor: float, scale: float = 0) -> None:
        """Tell how many times `floor` our median is."""
        self.value(what, ours / floor, "times", scale)
