# SPDX-License-Identifier: GPL-2.0-or-later
"""CPU usage from samples of /proc/stat, and the thread that takes them."""

import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unit.vdsm import trees
from vdsm.host import sampling
from vdsm.host.sampling import IDLE, Jiffies, Sample, Sampler, rates, take
from vdsm.host.tree import HostTree


class Clock:
    """A clock that the test turns; `asked` is set whenever somebody looks at it."""

    def __init__(self) -> None:
        self.now = 0.0
        self.asked = threading.Semaphore(0)

    def __call__(self) -> float:
        self.asked.release()
        return self.now


def _later(tree: HostTree) -> None:
    """Ten seconds on: CPU 0 was busy for five (user 3 s, system 2 s), CPU 1 was idle."""
    trees.write(
        tree.root,
        {
            "/proc/stat": """\
cpu  16303 0 11782 207923 1154 0 368 866 0 0
cpu0 7262 0 5228 106168 145 0 16 404 0 0
cpu1 9040 0 6554 101755 1009 0 351 462 0 0
""",
            "/proc/self/stat": trees.own_stat(user=200, system=100),
        },
    )


def test_rates_between_two_samples(tmp_path: Path) -> None:
    tree = trees.recorded(tmp_path)
    first = take(tree, 0.0)
    _later(tree)
    found = rates(first, take(tree, 10.0))
    assert (found.host.user, found.host.system, found.host.idle) == (15.0, 10.0, 75.0)
    assert (found.cpus[0].user, found.cpus[0].system, found.cpus[0].idle) == (30.0, 20.0, 50.0)
    assert found.cpus[1].idle == 100.0
    assert (found.vdsm.user, found.vdsm.system) == (10.0, 5.0)  # of one CPU, at 100 jiffies/s


def test_too_short_a_time_says_idle(tmp_path: Path) -> None:
    tree = trees.recorded(tmp_path)
    assert rates(take(tree, 0.0), take(tree, 0.1)) is IDLE


def test_a_cpu_that_was_not_there_before_has_no_rate(tmp_path: Path) -> None:
    tree = trees.recorded(tmp_path)
    one = take(tree, 0.0)
    first = Sample(0.0, one.host, {0: one.cpus[0]}, one.vdsm)
    assert list(rates(first, take(tree, 10.0)).cpus) == [0]


_times = st.integers(0, 2**40)
_jiffies = st.builds(
    lambda user, system, rest: Jiffies(user, system, user + system + rest), _times, _times, _times
)


@given(_jiffies, _jiffies, st.floats(0.0, 1e6))
def test_percentages_stay_percentages(first: Jiffies, last: Jiffies, elapsed: float) -> None:
    nothing = Jiffies(0, 0, 0)
    found = rates(
        Sample(0.0, first, {0: first}, nothing), Sample(elapsed, last, {0: last}, nothing)
    )
    for usage in (found.host, *found.cpus.values()):
        assert 0.0 <= usage.user <= 100.0
        assert 0.0 <= usage.system <= 100.0
        assert 0.0 <= usage.idle <= 100.0


def test_the_thread_samples_until_it_is_left(tmp_path: Path) -> None:
    tree, clock = trees.recorded(tmp_path), Clock()
    sampler = Sampler(tree, interval=0.01, clock=clock)
    assert sampler.rates() is IDLE
    with sampler:
        for _ in range(4):
            assert clock.asked.acquire(timeout=10)
        assert any(thread.name == "sampler" for thread in threading.enumerate())
    assert not any(thread.name == "sampler" for thread in threading.enumerate())


def test_rates_reach_up_to_now(tmp_path: Path) -> None:
    tree, clock = trees.recorded(tmp_path), Clock()
    with Sampler(tree, interval=3600, clock=clock) as sampler:
        _later(tree)
        clock.now = 10.0
        assert sampler.rates().host.user == 15.0


def test_a_failed_sample_does_not_end_the_thread(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tree, clock = trees.recorded(tmp_path), Clock()
    with Sampler(tree, interval=0.01, clock=clock):
        (tmp_path / "proc/stat").rename(tmp_path / "proc/gone")
        for _ in range(4):
            assert clock.asked.acquire(timeout=10)
        (tmp_path / "proc/gone").rename(tmp_path / "proc/stat")
        for _ in range(2):
            assert clock.asked.acquire(timeout=10)
    assert "Failed to sample" in caplog.text


def test_this_machine_has_samples_too() -> None:
    sample = take(HostTree(), 0.0)
    assert sample.host.total > 0
    assert sample.cpus
    assert sampling.INTERVAL_S > 0
