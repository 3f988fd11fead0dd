# SPDX-License-Identifier: GPL-2.0-or-later
"""docs/security.md says what supervdsm keeps of root's privileges and why, as the code does."""

import re
from pathlib import Path

from supervdsm.server import privileges, seccomp
from vdsm_contract.interfaces import ALL

PAGE = Path(__file__).parents[3] / "docs/security.md"
VERBS = {verb.method for interface in ALL for verb in interface.VERBS.values()}


def rows() -> list[list[str]]:
    """Return the cells of all rows of the section's tables."""
    section = PAGE.read_text().partition("## What supervdsm keeps")[2].partition("\n## ")[0]
    lines = re.findall(r"^\| (.*) \|$", section, re.MULTILINE)
    return [line.split(" | ") for line in lines]


def names(cell: str) -> tuple[str, ...]:
    return tuple(re.findall(r"`([^`]+)`", cell))


def test_the_page_lists_the_kept_capabilities_with_their_reasons() -> None:
    page = {
        names(first)[0]: (need, names(verbs[0]))
        for first, need, *verbs in rows()
        if first.startswith("`CAP_")
    }
    assert page == {name: (kept.need, kept.verbs) for name, kept in privileges.KEPT.items()}


def test_the_page_lists_the_refused_system_calls() -> None:
    page = {first: names(calls) for first, calls, *_ in rows() if first in seccomp.REFUSED}
    assert page == dict(seccomp.REFUSED)


def test_every_kept_capability_is_kept_for_verbs_that_there_are() -> None:
    for kept in privileges.KEPT.values():
        assert kept.verbs
        assert {f"org.ovirt.supervdsm.{verb}" for verb in kept.verbs} <= VERBS


def test_no_call_is_refused_twice_and_no_bit_is_kept_twice() -> None:
    calls = [name for group in seccomp.REFUSED.values() for name in group]
    assert len(set(calls)) == len(calls)
    bits = [kept.bit for kept in privileges.KEPT.values()]
    assert len(set(bits)) == len(bits)
