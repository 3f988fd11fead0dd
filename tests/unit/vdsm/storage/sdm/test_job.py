# SPDX-License-Identifier: GPL-2.0-or-later
"""A storage job's states, its events, and the threads that run it."""

from __future__ import annotations

import json
import threading

import pytest

from vdsm.jobs import JobExists, Jobs, JobStatus
from vdsm.jsonrpc.errors import JSON
from vdsm.jsonrpc.events import Events
from vdsm.storage import errors
from vdsm.storage.sdm.job import StorageJob, Work
from vdsm.storage.workers import Workers

JOB = "a1111111-2222-4333-8444-555555555555"
DEADLINE_S = 30


class Told(Events):
    """Remembers what was published."""

    def __init__(self) -> None:
        super().__init__()
        self.all: list[tuple[str, dict[str, JSON]]] = []
        self.bind(self._take)

    def _take(self, event: bytes) -> None:
        message = json.loads(event)
        self.all.append((message["method"], message["params"]))

    def statuses(self) -> list[JSON]:
        return [params["status"] for _, params in self.all]


class Copying:
    """Something that is under way until it is aborted."""

    def __init__(self) -> None:
        self.progress = 42.5
        self.aborted = threading.Event()

    def abort(self) -> None:
        self.aborted.set()


@pytest.fixture
def events() -> Told:
    return Told()


def job(events: Told, work: Work = lambda _job: None) -> StorageJob:
    return StorageJob(JOB, "copy_data", work, events)


def test_a_job_that_does_its_work_is_done(events: Told) -> None:
    seen: list[JobStatus] = []
    made = job(events, lambda job: seen.append(job.status))
    assert made.status is JobStatus.PENDING
    made.run()
    assert (seen, made.status, made.error) == ([JobStatus.RUNNING], JobStatus.DONE, None)
    ((name, params),) = events.all
    assert name == f"|jobs|status|{JOB}"
    del params["notify_time"]
    assert params == {
        "id": JOB,
        "job_type": "storage",
        "status": "done",
        "description": "copy_data",
    }


@pytest.mark.parametrize(
    ("error", "number"),
    [
        (errors.VolumeDoesNotExist("x"), 201),
        (OSError(5, "Input/output error"), 200),
        (ZeroDivisionError("x"), 100),
    ],
)
def test_a_job_whose_work_raises_has_failed(events: Told, error: Exception, number: int) -> None:
    def work(_job: StorageJob) -> None:
        raise error

    made = job(events, work)
    made.run()
    assert made.status is JobStatus.FAILED
    assert made.error is not None
    assert made.error[0] == number
    assert events.all[0][1]["error"] == {"code": number, "message": made.error[1]}


def test_a_job_that_waits_is_aborted_at_once(events: Told) -> None:
    made = job(events)
    made.abort()
    assert made.status is JobStatus.ABORTED
    made.run()
    assert events.statuses() == ["aborted"]


def test_an_abort_ends_what_is_under_way(events: Told) -> None:
    copying = Copying()
    begun = threading.Event()

    def work(job: StorageJob) -> None:
        with job.doing(copying):
            begun.set()
            assert copying.aborted.wait(DEADLINE_S)
            raise errors.ImageActionError("qemu-img was ended")

    made = job(events, work)
    thread = threading.Thread(target=made.run)
    thread.start()
    assert begun.wait(DEADLINE_S)
    assert made.progress == 42
    made.abort()
    thread.join(DEADLINE_S)
    assert made.status is JobStatus.ABORTED
    assert events.statuses() == ["aborted"]


def test_nothing_is_begun_after_an_abort(events: Told) -> None:
    def work(job: StorageJob) -> None:
        job.abort()
        with job.doing(Copying()):
            raise AssertionError

    made = job(events, work)
    made.run()
    assert made.status is JobStatus.ABORTED


def test_a_job_that_is_done_is_at_its_end(events: Told) -> None:
    def work(job: StorageJob) -> None:
        with job.doing(Copying()):
            pass

    made = job(events, work)
    made.run()
    assert made.progress == 100


def test_jobs_that_have_ended_are_forgotten_after_a_while(events: Told) -> None:
    now = [0.0]
    jobs = Jobs(keep_s=60, clock=lambda: now[0])
    jobs.add(job(events))
    now[0] = 1000.0
    assert list(jobs.info()) == [JOB]
    jobs.ended(JOB)
    now[0] = 1059.0
    assert list(jobs.info()) == [JOB]
    with pytest.raises(JobExists):
        jobs.add(job(events))
    now[0] = 1060.0
    assert jobs.info() == {}
    jobs.add(job(events))
    jobs.ended("another")
    assert list(jobs.info()) == [JOB]


def test_few_run_at_a_time_and_the_queue_has_an_end() -> None:
    workers = Workers("test", threads=2, waiting=3)
    go, running = threading.Event(), threading.Semaphore(0)
    done: list[int] = []

    def work(number: int) -> None:
        running.release()
        assert go.wait(DEADLINE_S)
        done.append(number)

    for number in range(2):
        workers.submit(lambda number=number: work(number))
        assert running.acquire(timeout=DEADLINE_S)
    for number in range(2, 5):
        workers.submit(lambda number=number: work(number))
    with pytest.raises(errors.AddTaskError):
        workers.submit(lambda: work(5))
    assert not running.acquire(blocking=False)
    assert not workers.drain(0.01)
    go.set()
    assert workers.drain(DEADLINE_S)
    assert sorted(done) == [0, 1, 2, 3, 4]
