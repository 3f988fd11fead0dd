# SPDX-License-Identifier: GPL-2.0-or-later
"""docs/security.md says a policy for every verb of the contract, and for no other."""

import re
from pathlib import Path

import pytest

from vdsm_contract.interfaces import ALL

PAGE = Path(__file__).parents[3] / "docs/security.md"
PREFIX = "org.ovirt.supervdsm."

VERBS = {
    verb.method.removeprefix(PREFIX): verb for interface in ALL for verb in interface.VERBS.values()
}


def table() -> dict[str, list[str]]:
    """Return the cells of each row of the table of verbs, by the verb's name."""
    section = PAGE.read_text().partition("## Verbs and their arguments")[2].partition("\n## ")[0]
    lines = re.findall(r"^\| `(\w+\.\w+)` \|(.*)\|$", section, re.MULTILINE)
    assert len({name for name, _ in lines}) == len(lines), "a verb has two rows"
    return {name: [cell.strip() for cell in cells.split(" | ")] for name, cells in lines}


def test_the_table_and_the_contract_have_the_same_verbs() -> None:
    assert set(table()) == set(VERBS)


@pytest.mark.parametrize("name", VERBS)
def test_a_verb_with_arguments_has_a_policy_and_one_without_says_so(name: str) -> None:
    touches, policy = table()[name]
    arguments = [field for field in VERBS[name].parameters.__struct_fields__ if field != "flow_id"]
    assert touches
    assert (policy == "none taken") == (not arguments)


@pytest.mark.parametrize("name", VERBS)
def test_a_verb_that_touches_nothing_says_so(name: str) -> None:
    touches, _ = table()[name]
    assert touches.startswith("nothing") or VERBS[name].promise.touches != "nothing"
