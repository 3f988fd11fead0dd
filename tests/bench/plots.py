# SPDX-License-Identifier: GPL-2.0-or-later
"""Plots of records, as SVG files that are the same whenever the figures are."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import matplotlib as mpl
from matplotlib import pyplot as plt
from records import Record

_FORMAT: Final = {
    "svg.fonttype": "none",  # text stays text: small, and it can be searched for
    "svg.hashsalt": "vdsm",
    "figure.figsize": (7.5, 4.0),
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
}
OURS: Final = ("supervdsm", "vdsm", "ours", "NetworkCaps")
_MIB: Final = "MiB"


def draw(records: Sequence[Record], case: str, path: Path, *, rate: bool = False) -> None:
    """Plot a case over its scales: medians with their p99, or calls a second."""
    with mpl.rc_context(_FORMAT):
        figure, axes = plt.subplots()
        names = sorted({one.what for one in records})
        for name in names:
            line = sorted((one for one in records if one.what == name), key=lambda one: one.scale)
            scales = [one.scale for one in line]
            width = 2.5 if name.startswith(OURS) else 1.0
            if rate:
                axes.plot(scales, [one.rate for one in line], "o-", label=name, linewidth=width)
                continue
            factor = 1e3 if line[0].unit == "s" else 1.0
            medians = [one.p50 * factor for one in line]
            [drawn] = axes.plot(scales, medians, "o-", label=name, linewidth=width)
            if line[0].unit == "s":
                tails = [one.p99 * factor for one in line]
                axes.plot(
                    scales, tails, ":", color=drawn.get_color(), linewidth=max(width / 2, 0.8)
                )
        _axes(axes, records, case, rate=rate)
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.tight_layout()
        figure.savefig(path, metadata={"Date": None, "Creator": None})
        plt.close(figure)


def _axes(axes: plt.Axes, records: Sequence[Record], case: str, *, rate: bool) -> None:
    unit = records[0].unit
    what, _, scale = case.partition(", ")
    if rate:
        axes.set_ylabel("calls a second")
    else:
        axes.set_ylabel("ms: median, and p99 (dotted)" if unit == "s" else unit)
    if unit == _MIB:
        axes.set_ylim(bottom=0)
    else:
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xticks(sorted({one.scale for one in records}))
        axes.get_xaxis().set_major_formatter(mpl.ticker.FormatStrFormatter("%g"))
        axes.get_xaxis().set_minor_locator(mpl.ticker.NullLocator())
    axes.set_xlabel(scale or "calls" if unit == _MIB else scale or case)
    axes.set_title(what)
    axes.grid(visible=True, alpha=0.3)
    axes.legend(fontsize=8)
