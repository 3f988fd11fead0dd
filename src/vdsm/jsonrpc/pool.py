# SPDX-License-Identifier: GPL-2.0-or-later
"""The bounded pool of threads in which verbs run.

A fixed number of workers, and a queue that refuses instead of growing. Knows jobs, not calls.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from vdsm.jsonrpc.limits import PoolLimits

log = logging.getLogger(__name__)

Job = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Load:
    """Jobs that wait, jobs that run, and the workers that there are."""

    waiting: int
    running: int
    workers: int


class WorkerPool:
    """Runs jobs in `limits.workers` threads. Jobs must not raise: one that does is logged."""

    def __init__(self, limits: PoolLimits) -> None:
        self._limits = limits
        self._jobs: deque[Job] = deque()
        self._wakeup = threading.Condition()
        self._stopping = False
        self._running = 0
        self._progress = time.monotonic()  # when a job last began, ended, or found nobody waiting
        # Daemons: a call that hangs must not keep a draining vdsm from exiting.
        self._threads = [
            threading.Thread(target=self._work, name=f"rpc/{n}", daemon=True)
            for n in range(limits.workers)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Lets the workers end after their current job; jobs that wait are dropped."""
        with self._wakeup:
            self._stopping = True
            self._jobs.clear()
            self._wakeup.notify_all()

    def submit(self, job: Job) -> bool:
        """Queues a job. False when as many wait as may: nothing was queued."""
        with self._wakeup:
            idle = self._limits.workers - self._running
            if self._stopping or len(self._jobs) >= self._limits.queued + idle:
                return False
            if not self._jobs:
                self._progress = time.monotonic()
            self._jobs.append(job)
            self._wakeup.notify()
        return True

    @property
    def load(self) -> Load:
        """How busy it is now."""
        with self._wakeup:
            return Load(len(self._jobs), self._running, self._limits.workers)

    def turns(self) -> bool:
        """Whether the pool still does its work: all threads live, and waiting jobs get a turn."""
        if not all(thread.is_alive() for thread in self._threads):
            return False
        with self._wakeup:
            waited = time.monotonic() - self._progress
            return not self._jobs or waited < self._limits.stuck_s

    def _work(self) -> None:
        while (job := self._take()) is not None:
            try:
                job()
            except Exception:
                log.exception("A job of the worker pool failed")
            finally:
                with self._wakeup:
                    self._running -= 1
                    self._progress = time.monotonic()

    def _take(self) -> Job | None:
        with self._wakeup:
            while not self._jobs and not self._stopping:
                self._wakeup.wait()
            if self._stopping:
                return None
            self._running += 1
            self._progress = time.monotonic()
            return self._jobs.popleft()
