# SPDX-License-Identifier: GPL-2.0-or-later
"""The table of verbs and promises has no empty cell, and each test that it names is one."""

import re
from functools import cache
from pathlib import Path

import pytest

from security.matrix import BEGIN, CONTAINER, END, PAGE, table, text
from security.promises import Promise
from security.verbs import VERBS

ROOT = Path(__file__).parents[3]
NAMED = {
    test for cells in table().values() for cell in cells.values() for test in cell.tests
} | set(CONTAINER.values())


@cache
def functions(path: str) -> frozenset[str]:
    return frozenset(re.findall(r"^def (test_\w+)", (ROOT / path).read_text(), re.MULTILINE))


@pytest.mark.parametrize("verb", VERBS)
def test_no_cell_is_empty(verb: str) -> None:
    cells = table()[verb]
    assert set(cells) == set(Promise)
    for promise, cell in cells.items():
        assert bool(cell.tests) != bool(cell.reason), promise


@pytest.mark.parametrize("test", sorted({test.partition("[")[0] for test in NAMED}))
def test_a_test_that_the_table_names_is_there(test: str) -> None:
    """That it is collected for the very verb, the process ring sees."""
    path, _, function = test.partition("::")
    assert function in functions(path)


def test_the_page_shows_the_table() -> None:
    """`python -m security.matrix --write` puts it there."""
    shown = PAGE.read_text().partition(BEGIN)[2].partition(END)[0].strip()
    assert shown == text()
