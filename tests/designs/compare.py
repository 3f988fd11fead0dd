# SPDX-License-Identifier: GPL-2.0-or-later
"""`python -m designs.compare`: kill each design at each point, and write down what was seen.

The designs are played side by side, so that a busy machine is as busy for all of them.
"""

import argparse
import json
import platform
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from designs import DESIGNS, processes
from designs.figures import table
from designs.points import POINTS, Seen, play

DOCUMENT: Final = Path(__file__).parents[2] / "docs/design-comparison.md"
_BEGIN, _END = "<!-- begin of figures -->\n", "<!-- end of figures -->\n"

Results = dict[str, dict[str, list[Seen]]]
"""By point and design, a value for each round."""


def run(
    points: Sequence[str], designs: Sequence[str], *, rounds: int, seed: int, place: Path
) -> Results:
    """Plays all rounds, in an order that a drift of the machine does not favour."""
    processes.adopt_orphans()
    results: Results = {point: {design: [] for design in designs} for point in points}
    with ThreadPoolExecutor(len(designs)) as pool:
        for number in range(rounds):
            for point in points:
                below = place / f"{number}-{point}"
                name = f"{seed}-{number}-{point}"
                played = {
                    design: pool.submit(play, design, point, below / design, name)
                    for design in designs
                }
                for design, seen in played.items():
                    results[point][design].append(seen.result())
    return results


def write(document: Path, figures: str) -> None:
    """Puts the figures in their place in the document. Raises ValueError when it has none."""
    text = document.read_text()
    head, begin, rest = text.partition(_BEGIN)
    _, end, tail = rest.partition(_END)
    if not (begin and end):
        raise ValueError(f"{document} has no place for figures")
    document.write_text(f"{head}{begin}\n{figures}\n{end}{tail}")


def main() -> int:
    parser = argparse.ArgumentParser(prog="compare-designs", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, metavar="N")
    parser.add_argument("--seed", type=int, default=1, metavar="N")
    parser.add_argument("--points", nargs="+", default=list(POINTS), choices=list(POINTS))
    parser.add_argument("--designs", nargs="+", default=list(DESIGNS), choices=list(DESIGNS))
    parser.add_argument("--json", type=Path, metavar="FILE", help="the figures of each round")
    parser.add_argument("--write", action="store_true", help=f"put them into {DOCUMENT.name}")
    options = parser.parse_args()
    # The rounds under way end first, and with them all processes.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="designs-") as place:
        results = run(
            options.points,
            options.designs,
            rounds=options.rounds,
            seed=options.seed,
            place=Path(place),
        )
    if options.json:
        rounds = {
            point: {design: [vars(one) for one in seen] for design, seen in each.items()}
            for point, each in results.items()
        }
        options.json.write_text(json.dumps(rounds, indent=1) + "\n")
    figures = (
        f"`make compare-designs ROUNDS={options.rounds} SEED={options.seed}`, Linux "
        f"{platform.release()}, Python {platform.python_version()}, "
        f"{time.monotonic() - began:.0f} s.\n\n{table(results)}"
    )
    print(figures)
    if options.write:
        write(DOCUMENT, figures)
    return 0


if __name__ == "__main__":
    sys.exit(main())
