# SPDX-License-Identifier: GPL-2.0-or-later
"""The schedule is a function of its seed, and has every kind in it."""

from collections import Counter
from itertools import islice

from chaos.schedule import Kind, schedule

MANY = 3000


def test_a_seed_gives_the_same_faults_again() -> None:
    assert list(islice(schedule(7), MANY)) == list(islice(schedule(7), MANY))


def test_another_seed_gives_others() -> None:
    assert list(islice(schedule(7), 20)) != list(islice(schedule(8), 20))


def test_every_kind_comes_and_the_slow_ones_are_rare() -> None:
    counts = Counter(fault.kind for fault in islice(schedule(1), MANY))
    assert counts.keys() == set(Kind)
    slow = counts[Kind.REBOOT] + counts[Kind.POWER_CUT] + counts[Kind.UPGRADE]
    assert 0 < slow < MANY / 25
    assert counts[Kind.KILL] > MANY / 3


def test_leaving_a_kind_out_changes_no_other_fault() -> None:
    def essence(without: tuple[Kind, ...]) -> list[tuple[object, ...]]:
        return [
            (one.kind, one.target, one.pause_s, one.in_change, one.share)
            for one in islice(schedule(5, without), MANY)
            if one.kind is not Kind.REBOOT
        ]

    fewer = essence((Kind.REBOOT,))
    assert essence(())[: len(fewer) // 2] == fewer[: len(fewer) // 2]


def test_the_numbers_count_what_is_done() -> None:
    faults = islice(schedule(5, (Kind.KILL,)), 100)
    assert [fault.number for fault in faults] == list(range(1, 101))
