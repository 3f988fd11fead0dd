# SPDX-License-Identifier: GPL-2.0-or-later
"""The thread that starts workers, ends idle ones, and reaps those that were left to the kernel.

It lives as long as vdsm: the kernel kills a worker when the thread that started it ends.
"""

from __future__ import annotations

import os
import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from enum import Enum, auto
from typing import Final, Protocol

from vdsm.storage.outofprocess.process import WorkerProcess

_FIRST_S: Final = 0.01
"""How soon a killed worker is looked for. A kernel that does not hold it has ended it by then; each
further look comes after twice the time."""


class _Order(Enum):
    REAP = auto()
    END = auto()


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
        self._wanted: queue.SimpleQueue[Future[WorkerProcess] | _Order] = queue.SimpleQueue()
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
            self._wanted.put(_Order.REAP)

    def close(self) -> None:
        """No more workers; those that there are should be abandoned before."""
        with self._guard:
            self._closed = True
            if self._thread is not None:
                self._wanted.put(_Order.END)

    def _work(self) -> None:
        look_at, pause = time.monotonic() + self._look_s, self._look_s
        while True:
            now = time.monotonic()
            if now >= look_at:  # however many workers are wanted
                look_at = now + self._look_s
                self._look()
            try:
                wanted = self._wanted.get(timeout=min(pause, max(look_at - now, 0.0)))
            except queue.Empty:
                pause = self._look_s if self._reap() else min(2 * pause, self._look_s)
                continue
            if wanted is _Order.REAP:
                pause = _FIRST_S
            elif wanted is _Order.END:
                self._reap()
                return
            else:
                _start(wanted)

    def _look(self) -> None:
        for kept in self._kept():
            kept.end_idle()

    def _reap(self) -> bool:
        """Whether none is left."""
        with self._guard:
            self._abandoned = [worker for worker in self._abandoned if not worker.ended()]
            return not self._abandoned


def _start(future: Future[WorkerProcess]) -> None:
    try:
        future.set_result(WorkerProcess(os.getpid()))
    except BaseException as error:  # raised where the worker is wanted
        future.set_exception(error)
