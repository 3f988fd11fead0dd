# SPDX-License-Identifier: GPL-2.0-or-later
"""Which signs of the engine count."""

import math
import threading
import time

import pytest

from supervdsm.network.transaction.connectivity import Confirmation


def test_no_sign_is_none() -> None:
    assert not Confirmation().wait(time.monotonic(), 0.01)


def test_a_sign_of_before_does_not_count() -> None:
    confirmation = Confirmation()
    confirmation.confirm(time.monotonic())
    time.sleep(0.001)
    assert not confirmation.wait(time.monotonic(), 0.01)


def test_a_sign_of_the_very_moment_counts() -> None:
    confirmation = Confirmation()
    since = time.monotonic()
    confirmation.confirm(since)
    assert confirmation.wait(since, 0)


@pytest.mark.parametrize("seen", [math.inf, math.nan, time.monotonic() + 1e9])
def test_the_future_and_nonsense_confirm_nothing_later(seen: float) -> None:
    confirmation = Confirmation()
    confirmation.confirm(seen)
    time.sleep(0.001)
    assert not confirmation.wait(time.monotonic(), 0.01)


def test_an_older_sign_does_not_take_a_newer_one_back() -> None:
    confirmation = Confirmation()
    since = time.monotonic()
    confirmation.confirm(since)
    confirmation.confirm(since - 10)
    assert confirmation.wait(since, 0)


def test_a_sign_ends_the_wait_of_another_thread_at_once() -> None:
    confirmation = Confirmation()
    since = time.monotonic()
    answers: list[bool] = []
    waiter = threading.Thread(target=lambda: answers.append(confirmation.wait(since, 60)))
    waiter.start()
    confirmation.confirm(since - 1)
    confirmation.confirm(time.monotonic())
    waiter.join(10)
    assert answers == [True]
