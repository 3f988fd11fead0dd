# SPDX-License-Identifier: GPL-2.0-or-later
"""Clients that come to rest, each in its own time."""

import threading

from chaos.load.client import Gate


def test_who_still_works_is_told_and_the_others_are_not_waited_for() -> None:
    gate, within, leave = Gate(), threading.Event(), threading.Event()

    def work() -> None:
        with gate.working("slow"):
            within.set()
            leave.wait()

    gate.open()
    slow = threading.Thread(target=work)
    slow.start()
    within.wait()
    gate.close()
    assert gate.rest({"quick"}, 60) == set()
    assert gate.rest({"quick", "slow"}, 0.001) == {"slow"}
    leave.set()
    assert gate.rest({"quick", "slow"}, 60) == set()
    slow.join()


def test_a_closed_gate_lets_nobody_in() -> None:
    gate, within = Gate(), threading.Event()

    def work() -> None:
        with gate.working("late"):
            within.set()

    gate.open()
    gate.close()
    late = threading.Thread(target=work)
    late.start()
    assert not within.wait(0.05)
    gate.open()
    assert within.wait(60)
    late.join()
