# SPDX-License-Identifier: GPL-2.0-or-later
"""The bounded pool of threads in which verbs run.

A fixed number of workers, and a queue that refuses instead of growing. Knows jobs, not calls.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from queue import SimpleQueue

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
        # A job is handed over by a queue in C, and counted under a lock: a Condition takes several
        # times as long, and its waiters are switched to twice.
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._stopping = False
        self._waiting = 0
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
        with self._lock:
            self._stopping = True
            self._waiting = 0
            for _ in self._threads:
                self._jobs.put(None)

    def submit(self, job: Job) -> bool:
        """Queues a job. False when as many wait as may: nothing was queued."""
        with self._lock:
            idle = self._limits.workers - self._running
            if self._stopping or self._waiting >= self._limits.queued + idle:
                return False
            if not self._waiting:
                self._progress = time.monotonic()
            self._waiting += 1
            self._jobs.put(job)
        return True

    @property
    def load(self) -> Load:
        """How busy it is now."""
        with self._lock:
            return Load(self._waiting, self._running, self._limits.workers)

    def turns(self) -> bool:
        """Whether the pool still does its work: all threads live, and waiting jobs get a turn."""
        if not all(thread.is_alive() for thread in self._threads):
            return False
        with self._lock:
            waited = time.monotonic() - self._progress
            return not self._waiting or waited < self._limits.stuck_s

    def _work(self) -> None:
        while (job := self._take()) is not None:
            try:
                job()
            except Exception:
                log.exception("A job of the worker pool failed")
            finally:
                with self._lock:
                    self._running -= 1
                    self._progress = time.monotonic()

    def _take(self) -> Job | None:
        """Waits for a job; None once the pool has stopped."""
        job = self._jobs.get()
        with self._lock:
            if self._stopping:
                return None
            self._waiting -= 1
            self._running += 1
            self._progress = time.monotonic()
        return job
