# SPDX-License-Identifier: GPL-2.0-or-later
"""The schedule is a function of its seed, and has every kind in it."""

from collections import Counter
from itertools import islice

import pytest

from chaos.schedule import Kind, schedule

MANY = 3000


def test_a_seed_gives_the_same_faults_again() -> None:
    assert list(islice(schedule(7), MANY)) == list(islice(schedule(7), MANY))


def test_another_seed_gives_others() -> None:
    assert list(islice(schedule(7), 20)) != list(islice(schedule(8), 20))


@pytest.mark.parametrize("seed", range(5))
def test_every_kind_comes_in_each_hundred_and_the_slow_ones_are_rare(seed: int) -> None:
    faults = list(islice(schedule(seed), 300))
    for first in (0, 100, 200):
        counts = Counter(fault.kind for fault in faults[first : first + 100])
        assert counts.keys() == set(Kind)
        slow = Kind.REBOOT, Kind.POWER_CUT, Kind.UPGRADE, Kind.STOP_UPGRADER
        assert sum(counts[kind] for kind in slow) == len(slow)
        assert counts[Kind.KILL] > 100 / 3


def test_hundreds_differ() -> None:
    faults = [fault.title for fault in islice(schedule(1), 200)]
    assert faults[:100] != faults[100:]


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
