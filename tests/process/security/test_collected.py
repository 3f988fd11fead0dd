# SPDX-License-Identifier: GPL-2.0-or-later
"""pytest itself finds each test that the table of verbs and promises names, for the very verb."""

import subprocess
import sys
from pathlib import Path

from security.matrix import CONTAINER, table

ROOT = Path(__file__).parents[3]


def test_each_test_that_the_table_names_is_collected() -> None:
    named = [test for cells in table().values() for cell in cells.values() for test in cell.tests]
    files = sorted({test.partition("::")[0] for test in (*named, *CONTAINER.values())})
    argv = [sys.executable, "-m", "pytest", "--collect-only", "-q", *files]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=True)
    collected = {line for line in done.stdout.splitlines() if "::" in line}
    # A test that is named without parameters is meant with all of them.
    collected |= {line.partition("[")[0] for line in collected}
    assert {*named, *CONTAINER.values()} - collected == set()
