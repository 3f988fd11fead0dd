# SPDX-License-Identifier: GPL-2.0-or-later
"""Pass on what a part prints, and keep its records: `collect.py FILE PART <OUTPUT`.

The records go to FILE, with the load of the machine before and after: figures of a busy machine
say so.
"""

import os
import sys
from pathlib import Path

import records
from records import MARK, Record


def main() -> None:
    file, part = Path(sys.argv[1]), sys.argv[2]
    before = os.getloadavg()[0]
    found: list[Record] = []
    for line in sys.stdin:
        if line.startswith(MARK):
            found.append(records.decode(line.removeprefix(MARK)))
        else:
            print(line, end="", flush=True)
    loads = {"before": before, "after": os.getloadavg()[0]}
    parts = {one.part for one in found} or {part}
    found += [
        records.of_values(of, "machine", f"load {when}", 0, [round(load, 2)], "processes")
        for of in parts
        for when, load in loads.items()
    ]
    records.write(file, found)


if __name__ == "__main__":
    main()
