# SPDX-License-Identifier: GPL-2.0-or-later
"""Threads that do work in the background: few at a time, and a queue with an end."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from contextvars import copy_context

from vdsm.storage import errors


class Workers:
    """Runs what is put into its queue. For any thread. Its threads are made when they are needed,
    and do not keep the process from ending."""

    def __init__(self, name: str, threads: int, waiting: int) -> None:
        self._name = name
        self._threads = threads
        self._lock = threading.Condition()
        self._started = 0
        self._unfinished = 0
        self._queue: queue.Queue[Callable[[], None]] = queue.Queue(waiting)

    def submit(self, work: Callable[[], None]) -> None:
        """Queues work, which must not raise. The caller's context, such as the flow id, goes along.
        Raises AddTaskError when the queue is full."""
        context = copy_context()
        with self._lock:
            try:
                self._queue.put_nowait(lambda: context.run(work))
            except queue.Full:
                waiting = self._queue.maxsize
                raise errors.AddTaskError(f"{self._name}: {waiting} wait already") from None
            self._unfinished += 1
            if self._started < min(self._unfinished, self._threads):
                self._started += 1
                name = f"{self._name}/{self._started}"
                threading.Thread(target=self._loop, name=name, daemon=True).start()

    def _loop(self) -> None:
        while True:
            self._queue.get()()
            with self._lock:
                self._unfinished -= 1
                self._lock.notify_all()

    def drain(self, timeout_s: float) -> bool:
        """Waits until all that was submitted has ended; False when it did not in time."""
        with self._lock:
            return self._lock.wait_for(lambda: not self._unfinished, timeout_s)
