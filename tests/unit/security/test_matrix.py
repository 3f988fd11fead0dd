# SPDX-License-Identifier: GPL-2.0-or-later
"""The table of verbs and promises has no empty cell, and each test that it names is one."""

import re
from functools import cache
from pathlib import Path

import pytest

from security.matrix import BEGIN, CONTAINER, END, PAGE, table, text
from security.promises import Promise
from security.verbs import VERBS
from vdsm_contract.declare import Interface, seconds, verb

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


class New(Interface, name="org.ovirt.supervdsm.new"):
    """Verbs that nobody has thought of yet."""

    @verb(limit=seconds(10), touches="nothing")
    def silent(self) -> None:
        """Take nothing."""

    @verb(limit=seconds(10), touches="removes a file")
    def remove(self, path: str) -> None:
        """Take a path of which nothing was said."""


def test_a_new_verb_changes_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    before = text()
    monkeypatch.setitem(VERBS, "new.Silent", New.VERBS["silent"])
    assert text() != before


def test_a_new_verb_with_a_text_has_no_table_until_its_meaning_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(VERBS, "new.Remove", New.VERBS["remove"])
    with pytest.raises(KeyError, match=r"new\.Remove path"):
        table()
