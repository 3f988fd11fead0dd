# SPDX-License-Identifier: GPL-2.0-or-later
"""The model finds each thing that must never be, and nothing else."""

import pytest

from chaos.model import ASKED, EFFECT, ENDS, ONCE, Ledger, Outcome

NETWORK = "networks of somebody"


@pytest.fixture
def ledger() -> Ledger:
    made = Ledger()
    made.define(NETWORK, "old")
    return made


def rules(ledger: Ledger) -> list[str]:
    return [one.rule for one in ledger.violations]


def change(ledger: Ledger, outcome: Outcome) -> None:
    ledger.begin("c1", "Host.setupNetworks", 1.0, {NETWORK: "new"})
    ledger.answer("c1", 2.0, outcome, "seen")


def look(ledger: Ledger, found: str) -> None:
    ledger.settle(NETWORK, found.__eq__, found)


# --- answers --------------------------------------------------------------------------------------


def test_a_call_with_one_answer_is_right(ledger: Ledger) -> None:
    change(ledger, Outcome.DONE)
    assert rules(ledger) == []
    assert [(call.id, call.saw) for call in ledger.ended] == [("c1", "seen")]


@pytest.mark.parametrize("first", list(Outcome))
def test_a_second_answer_is_found(ledger: Ledger, first: Outcome) -> None:
    change(ledger, first)
    ledger.answer("c1", 3.0, Outcome.DONE, "ok")
    assert rules(ledger) == [ONCE]


def test_an_answer_to_a_lost_call_is_found(ledger: Ledger) -> None:
    ledger.begin("c1", "Host.ping2", 1.0)
    ledger.lose("c1", 2.0)
    ledger.lose("c1", 2.5)  # it is lost once
    assert rules(ledger) == []
    ledger.answer("c1", 3.0, Outcome.DONE, "ok")
    assert rules(ledger) == [ONCE]


def test_an_answer_to_nothing_is_found(ledger: Ledger) -> None:
    ledger.answer("c9", 3.0, Outcome.DONE, "ok")
    assert rules(ledger) == [ASKED]


def test_a_call_without_an_end_is_found(ledger: Ledger) -> None:
    ledger.begin("c1", "Host.ping2", 1.0)
    ledger.check_ends(10.0, 60)
    assert rules(ledger) == []
    ledger.check_ends(62.0, 60)
    assert rules(ledger) == [ENDS]


# --- effects --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcome", "right", "wrong"),
    [
        (Outcome.DONE, {"new"}, {"old", "half"}),
        (Outcome.REFUSED, {"old"}, {"new", "half"}),
        (Outcome.UNKNOWN, {"old", "new"}, {"half"}),
    ],
)
def test_what_is_found_must_be_what_the_answer_said(
    outcome: Outcome, right: set[str], wrong: set[str]
) -> None:
    for found in right | wrong:
        ledger = Ledger()
        ledger.define(NETWORK, "old")
        change(ledger, outcome)
        look(ledger, found)
        assert rules(ledger) == ([] if found in right else [EFFECT]), found


def test_a_call_without_an_answer_yet_has_no_effect_that_may_be_seen(ledger: Ledger) -> None:
    ledger.begin("c1", "Host.setupNetworks", 1.0, {NETWORK: "new"})
    look(ledger, "new")
    assert rules(ledger) == [EFFECT]


def test_a_look_ends_the_doubt(ledger: Ledger) -> None:
    change(ledger, Outcome.UNKNOWN)
    assert ledger.in_doubt(NETWORK)
    look(ledger, "new")
    assert ledger.value(NETWORK) == "new"
    look(ledger, "old")  # an effect that goes away by itself
    assert rules(ledger) == [EFFECT]


def test_nobody_writes_on_doubtful_ground(ledger: Ledger) -> None:
    change(ledger, Outcome.UNKNOWN)
    with pytest.raises(ValueError, match="in doubt"):
        ledger.begin("c2", "Host.setupNetworks", 3.0, {NETWORK: "newer"})


def test_only_the_calls_of_the_time_are_told(ledger: Ledger) -> None:
    for number in range(4):
        ledger.begin(f"c{number}", "Host.ping2", float(number))
        ledger.answer(f"c{number}", number + 0.5, Outcome.DONE, "ok")
    assert {call.id for call in ledger.saw(2.0)} == {"c2", "c3"}
