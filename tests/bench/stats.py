# SPDX-License-Identifier: GPL-2.0-or-later
"""From times to figures: medians, slow tails, spreads between repeats, ratios, slopes. Pure."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Summary:
    """What one repeat of a measurement found. Times are in seconds; `rate` is calls a second."""

    n: int
    p50: float
    p99: float
    worst: float
    rate: float


def percentile(ordered: Sequence[float], percent: float) -> float:
    """Return the smallest of sorted values that `percent` of them do not exceed."""
    if not ordered:
        raise ValueError("no values")
    rank = -(-len(ordered) * percent // 100)
    return ordered[max(int(rank), 1) - 1]


def summary(times: Sequence[float], seconds: float | None = None) -> Summary:
    """Sum up times of calls that all ended within `seconds`; one after the other if not given."""
    ordered = sorted(times)
    took = sum(ordered) if seconds is None else seconds
    return Summary(
        n=len(ordered),
        p50=statistics.median(ordered),
        p99=percentile(ordered, 99),
        worst=ordered[-1],
        rate=len(ordered) / took if took else 0.0,
    )


def quartiles(values: Sequence[float]) -> tuple[float, float]:
    """Return the first and the third quartile; of one value, that value twice."""
    if len(values) == 1:
        return values[0], values[0]
    first, _, third = statistics.quantiles(values, n=4, method="inclusive")
    return first, third


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Return the slope of the straight line that fits the points best (least squares)."""
    return statistics.linear_regression(*zip(*points, strict=True)).slope
