# SPDX-License-Identifier: GPL-2.0-or-later
"""Run one input: `python -m fuzz.replay TARGET FILE`. A crash is a traceback, and status 1."""

import logging
import sys
from pathlib import Path

from fuzz import target


def main() -> None:
    logging.basicConfig(level=logging.INFO)
    name, file = sys.argv[1:]
    data = Path(file).read_bytes()
    print(f"{name}: {len(data)} bytes: {data[:200]!r}")
    target.load(name).run(data)
    print(f"{name}: as it should be")


if __name__ == "__main__":
    main()
