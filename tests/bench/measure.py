# SPDX-License-Identifier: GPL-2.0-or-later
"""Times calls and prints what a person compares: medians, slow tails, calls a second, ratios."""

import statistics
import threading
import time
from collections.abc import Callable


def latency(what: str, call: Callable[[], object], count: int) -> float:
    """Make `count` calls one after the other; print their times, return the median in seconds."""
    times = []
    for _ in range(count):
        start = time.monotonic()
        call()
        times.append(time.monotonic() - start)
    return show(what, times)


def throughput(what: str, call: Callable[[], object], *, threads: int, seconds: float) -> None:
    """Make calls from several threads at once; print how many ended in a second."""
    end = time.monotonic() + seconds
    counts = [0] * threads

    def work(index: int) -> None:
        while time.monotonic() < end:
            call()
            counts[index] += 1

    workers = [threading.Thread(target=work, args=(index,)) for index in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    print(f"{what:<44} {sum(counts) / seconds:9.0f} calls/s from {threads} threads", flush=True)


def show(what: str, times: list[float]) -> float:
    """Print median, 99th percentile and maximum of `times` (seconds); return the median."""
    ordered = sorted(times)
    tail = ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)]
    median = statistics.median(ordered)
    print(
        f"{what:<44} median {median * 1000:8.3f} ms"
        f"   99% {tail * 1000:8.3f} ms   max {ordered[-1] * 1000:8.3f} ms   n={len(ordered)}",
        flush=True,
    )
    return median


def ratio(what: str, ours: float, floor: float) -> None:
    """Print how many times `floor` our median is."""
    print(f"{what:<44} {ours / floor:9.2f} times", flush=True)
