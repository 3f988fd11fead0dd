# SPDX-License-Identifier: GPL-2.0-or-later
"""The thread that starts workers, ends idle ones, and reaps those that were left to the kernel.

It lives as long as vdsm: the kernel kills a worker when the thread that started it ends.
"""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Protocol

from vdsm.storage.outofprocess.process import WorkerProcess


class Kept(Protocol):
    """What has workers."""

    def end_idle(self) -> None:
        """Ends the workers that nobody has used for a while; called now and then."""


class Keeper:
    """For any thread. Its own begins with the first worker, and looks at what is kept every
    `look_s` seconds."""

    def __init__(self, kept: Callable[[], Sequence[Kept]], look_s: float) -> None:
        self._kept = kept
        self._look_s = look_s
        self._wanted: queue.SimpleQueue[Future[WorkerProcess] | None] = queue.SimpleQueue()
        self._guard = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closed = False
        self._abandoned: list[WorkerProcess] = []

    def start_worker(self) -> WorkerProcess:
        """A new worker. Raises OSError."""
        future: Future[WorkerProcess] = Future()
        with self._guard:
            if self._closed:
                raise OSError("vdsm is ending")
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="workers", daemon=True)
                self._thread.start()
            self._wanted.put(future)
        return future.result()

    def abandon(self, worker: WorkerProcess) -> None:
        """Kills a worker and reaps it when the kernel lets it go."""
        worker.kill()
        with self._guard:
            self._abandoned.append(worker)

    def close(self) -> None:
        """No more workers; those that there are should be abandoned before."""
        with self._guard:
            self._closed = True
            if self._thread is not None:
                self._wanted.put(None)

    def _work(self) -> None:
        while True:
            try:
                future = self._wanted.get(timeout=self._look_s)
            except queue.Empty:
                self._look()
                continue
            if future is None:
                self._reap()
                return
            try:
                future.set_result(WorkerProcess(os.getpid()))
            except BaseException as error:  # raised where the worker is wanted
                future.set_exception(error)

    def _look(self) -> None:
        for kept in self._kept():
            kept.end_idle()
        self._reap()

    def _reap(self) -> None:
        with self._guard:
            self._abandoned = [worker for worker in self._abandoned if not worker.ended()]
