# SPDX-License-Identifier: GPL-2.0-or-later
"""Jobs: work that goes on after the call that started it, such as copying a disk.

Shapes: oVirt's HostJobInfo. An engine asks for the jobs by type and id.
"""

from __future__ import annotations

import threading
from collections.abc import Collection
from enum import Enum
from typing import Protocol

from vdsm.jsonrpc.errors import JSON


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

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._jobs: dict[str, Job] = {}

    def add(self, job: Job) -> None:
        """Registers a job. Raises JobExists."""
        with self._lock:
            if job.id in self._jobs:
                raise JobExists(job.id)
            self._jobs[job.id] = job

    def remove(self, job_id: str) -> None:
        """Forgets a job. Raises KeyError."""
        with self._lock:
            del self._jobs[job_id]

    def info(
        self, job_type: JobType | None = None, ids: Collection[str] | None = None
    ) -> dict[str, JSON]:
        """HostJobInfoMap: the jobs of a type, with these ids; without either, all of them."""
        with self._lock:
            jobs = list(self._jobs.values())
        return {
            job.id: _info(job)
            for job in jobs
            if job_type in (None, job.job_type) and (ids is None or job.id in ids)
        }


def _info(job: Job) -> dict[str, JSON]:
    info: dict[str, JSON] = {
        "id": job.id,
        "job_type": job.job_type.value,
        "status": job.status.value,
        "description": job.description,
    }
    progress, error = job.progress, job.error
    if progress is not None:
        info["progress"] = progress
    if error is not None:
        info["error"] = {"code": error[0], "message": error[1]}
    return info
