# SPDX-License-Identifier: GPL-2.0-or-later
"""Jobs: work that goes on after the call that started it, such as copying a disk.

Shapes: oVirt's HostJobInfo. An engine asks for the jobs by type and id; one that has ended can be
asked for during an hour.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection
from enum import Enum
from typing import Final, Protocol

from vdsm.jsonrpc.errors import JSON

KEEP_S: Final = 3600.0
"""How long a job that has ended is remembered, in seconds: oVirt's jobs/autodelete_delay."""


class JobType(Enum):
    STORAGE = "storage"
    V2V = "v2v"


class JobStatus(Enum):
    PENDING = "pending"
    RUNNING = "running"
    DONE = "done"
    ABORTED = "aborted"
    FAILED = "failed"


class Job(Protocol):
    """What the registry needs to know of a job. Any thread may ask."""

    @property
    def id(self) -> str:
        """Its UUID."""

    @property
    def job_type(self) -> JobType: ...

    @property
    def status(self) -> JobStatus: ...

    @property
    def description(self) -> str: ...

    @property
    def progress(self) -> int | None:
        """In percent; None when nobody can tell."""

    @property
    def error(self) -> tuple[int, str] | None:
        """The code and message of the failure of a job that failed."""


class JobExists(Exception):
    """A job with this id is registered already."""


class Jobs:
    """The jobs of this host, by id. For any thread."""

    def __init__(self, keep_s: float = KEEP_S, clock: Callable[[], float] = time.monotonic) -> None:
        self._keep_s = keep_s
        self._clock = clock
        self._lock = threading.Lock()
        self._jobs: dict[str, Job] = {}
        self._ended: dict[str, float] = {}

    def add(self, job: Job) -> None:
        """Registers a job. Raises JobExists."""
        with self._lock:
            self._forget_old()
            if job.id in self._jobs:
                raise JobExists(job.id)
            self._jobs[job.id] = job

    def remove(self, job_id: str) -> None:
        """Forgets a job. Raises KeyError."""
        with self._lock:
            del self._jobs[job_id]
            self._ended.pop(job_id, None)

    def ended(self, job_id: str) -> None:
        """A job has ended, in whatever way: it is forgotten after a while."""
        with self._lock:
            if job_id in self._jobs:
                self._ended.setdefault(job_id, self._clock())

    def info(
        self, job_type: JobType | None = None, ids: Collection[str] | None = None
    ) -> dict[str, JSON]:
        """HostJobInfoMap: the jobs of a type, with these ids; without either, all of them."""
        with self._lock:
            self._forget_old()
            jobs = list(self._jobs.values())
        return {
            job.id: info(job)
            for job in jobs
            if job_type in (None, job.job_type) and (ids is None or job.id in ids)
        }

    def _forget_old(self) -> None:
        before = self._clock() - self._keep_s
        for job_id in [each for each, ended in self._ended.items() if ended <= before]:
            del self._jobs[job_id], self._ended[job_id]


def info(job: Job) -> dict[str, JSON]:
    """HostJobInfo of one job."""
    answer: dict[str, JSON] = {
        "id": job.id,
        "job_type": job.job_type.value,
        "status": job.status.value,
        "description": job.description,
    }
    progress, error = job.progress, job.error
    if progress is not None:
        answer["progress"] = progress
    if error is not None:
        answer["error"] = {"code": error[0], "message": error[1]}
    return answer
