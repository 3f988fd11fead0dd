# SPDX-License-Identifier: GPL-2.0-or-later
"""The worker pool: it runs, it refuses, it knows when it is stuck."""

import threading
from collections.abc import Iterator

import pytest

from vdsm.jsonrpc.limits import PoolLimits
from vdsm.jsonrpc.pool import WorkerPool


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


def test_it_takes_what_runs_and_what_may_wait_and_no_more(gate: threading.Event) -> None:
    pool = WorkerPool(PoolLimits(workers=2, tasks_per_worker=3))
    pool.start()
    done = threading.Semaphore(0)

    def job() -> None:
        gate.wait()
        done.release()

    assert [pool.submit(job) for _ in range(10)] == [True] * 8 + [False] * 2
    gate.set()
    for _ in range(8):
        assert done.acquire(timeout=5)
    pool.stop()
    assert not pool.submit(job)


def test_a_job_that_raises_does_not_end_its_worker() -> None:
    pool = WorkerPool(PoolLimits(workers=1, tasks_per_worker=3))
    pool.start()
    ran = threading.Event()
    assert pool.submit(lambda: [][0])
    assert pool.submit(ran.set)
    assert ran.wait(5)
    assert pool.turns()
    pool.stop()


def test_it_is_stuck_when_jobs_wait_and_none_ends(gate: threading.Event) -> None:
    pool = WorkerPool(PoolLimits(workers=1, tasks_per_worker=1, stuck_s=0))
    pool.start()
    begun = threading.Event()
    ended = threading.Event()

    def job() -> None:
        begun.set()
        gate.wait()

    assert pool.submit(job)
    assert begun.wait(5)
    assert pool.turns()  # it is busy, but nobody waits
    assert pool.submit(ended.set)
    assert not pool.turns()
    gate.set()
    assert ended.wait(5)
    assert pool.turns()
    pool.stop()
