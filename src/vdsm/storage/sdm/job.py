# SPDX-License-Identifier: GPL-2.0-or-later
"""One storage job: its states, its progress, its end, and how it is aborted.

pending -> running -> done, failed or aborted. An abort of one that runs is a request: it stays
running until its work has stopped.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol, TypeAlias

from vdsm.jobs import JobStatus, JobType, info
from vdsm.jsonrpc.errors import Code, VdsmError
from vdsm.jsonrpc.events import Events
from vdsm.storage import errors

log = logging.getLogger(__name__)


class Running(Protocol):
    """Something long that is under way, such as a run of qemu-img."""

    @property
    def progress(self) -> float:
        """In percent."""

    def abort(self) -> None:
        """Ends it soon, with errors.TaskAborted."""


class StorageJob:
    """vdsm.jobs.Job, and what the work of the job is given. For any thread."""

    def __init__(self, job_id: str, description: str, work: Work, events: Events) -> None:
        self._id = job_id
        self._description = description
        self._work = work
        self._events = events
        self._lock = threading.Lock()
        self._status = JobStatus.PENDING
        self._error: tuple[int, str] | None = None
        self._aborted = False
        self._running: Running | None = None
        self._progress: int | None = None

    @property
    def id(self) -> str:
        return self._id

    @property
    def job_type(self) -> JobType:
        return JobType.STORAGE

    @property
    def description(self) -> str:
        return self._description

    @property
    def status(self) -> JobStatus:
        return self._status

    @property
    def progress(self) -> int | None:
        running = self._running
        return self._progress if running is None else int(running.progress)

    @property
    def error(self) -> tuple[int, str] | None:
        return self._error

    # --- for its work -----------------------------------------------------------------------------

    def check(self) -> None:
        """Raises TaskAborted when somebody asked for an end."""
        if self._aborted:
            raise errors.TaskAborted(f"job {self._id}")

    @contextmanager
    def doing(self, running: Running) -> Iterator[None]:
        """Within the block the job is as far as `running` is, and an abort ends that. Raises
        TaskAborted when there was an abort before."""
        with self._lock:
            self.check()
            self._running = running
        try:
            yield
        finally:
            with self._lock:
                self._progress = int(running.progress)
                self._running = None

    # --- for who runs it --------------------------------------------------------------------------

    def run(self) -> None:
        """Does the work, and tells of its end by an event. Raises nothing."""
        with self._lock:
            if self._aborted:
                return
            self._status = JobStatus.RUNNING
        log.info("Job %s (%s) runs", self._id, self._description)
        try:
            self._work(self)
        except errors.TaskAborted:
            self._end(JobStatus.ABORTED)
        except VdsmError as error:
            log.error("Job %s (%s) failed: %s", self._id, self._description, error)  # noqa: TRY400
            self._end(JobStatus.FAILED, (error.code, error.message))
        except OSError as error:
            log.exception("Job %s (%s) failed", self._id, self._description)
            self._end(JobStatus.FAILED, (errors.StorageError.number, str(error)))
        except Exception as error:
            log.exception("Job %s (%s) failed", self._id, self._description)
            self._end(JobStatus.FAILED, (Code.GENERAL_EXCEPTION, str(error)))
        else:
            self._end(JobStatus.DONE)

    def abort(self) -> None:
        """Asks for an end: one that waits does not begin, one that runs stops soon."""
        with self._lock:
            self._aborted = True
            running = self._running
            waits = self._status is JobStatus.PENDING
        if waits:
            self._end(JobStatus.ABORTED)
        elif running is not None:
            running.abort()

    def _end(self, status: JobStatus, error: tuple[int, str] | None = None) -> None:
        with self._lock:
            # The work of one that is being aborted may end with any error.
            aborted = self._aborted and status is JobStatus.FAILED
            self._error = error
            if status is JobStatus.DONE and self._progress is not None:
                self._progress = 100
            self._status = JobStatus.ABORTED if aborted else status
        log.info("Job %s (%s) is %s", self._id, self._description, self._status.value)
        self._events.publish(f"|jobs|status|{self._id}", info(self))


Work: TypeAlias = Callable[[StorageJob], None]
"""What a job does, with the job to report to. Its error becomes the job's."""
