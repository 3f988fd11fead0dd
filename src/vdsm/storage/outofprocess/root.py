# SPDX-License-Identifier: GPL-2.0-or-later
"""The workers of one root: who may use one, and what is done about one that does not answer."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import ParamSpec, TypeVar

from vdsm.storage.errors import StorageDomainAccessError
from vdsm.storage.outofprocess.keeper import Keeper
from vdsm.storage.outofprocess.process import TookTooLong, WorkerGone, WorkerProcess
from vdsm.storage.outofprocess.walk import RefusedPath

log = logging.getLogger(__name__)

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Limits:
    """Times are in seconds. `timeout_s` and `idle_s`: oVirt's (upstream-vdsm 5)."""

    timeout_s: float = 60.0
    """One operation, with the wait for a worker."""
    workers: int = 6
    """Operations at a time; further ones wait for their turn."""
    stalled_s: float = 5.0
    """Who waits for a turn gives up when no operation has ended for so long."""
    idle_s: float = 60.0
    """A worker that nobody uses ends."""
    abandoned: int = 8
    """Workers that the kernel holds; with so many, nothing more is tried."""
    trial_s: float = 1.0
    """While one call tries a suspect root, others wait so long for what becomes of it."""
    look_s: float = 5.0
    """Between looks at idle and abandoned workers."""


class _End(Enum):
    """How an operation ended, as far as its worker and the server are concerned."""

    ANSWERED = auto()  # with a result or an error
    FAILED_LATE = auto()
    HANGS = auto()
    BROKEN = auto()  # the worker is gone


class Root:
    """For any thread."""

    def __init__(self, path: Path, keeper: Keeper, limits: Limits) -> None:
        self._path = path
        self._keeper = keeper
        self._limits = limits
        self._changed = threading.Condition()
        self._idle: list[tuple[WorkerProcess, float]] = []  # the last one used is the last
        self._busy: set[WorkerProcess] = set()
        self._running = 0
        self._abandoned: list[WorkerProcess] = []
        self._suspect = False  # an operation took too long, and none was answered since it began
        self._progress = 0.0  # when an operation was last answered
        self._tried = 0.0  # when an operation was last let through
        self._closed = False

    def run(self, operation: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Does an operation in a worker. Raises what it raises, and StorageDomainAccessError."""
        deadline = time.monotonic() + self._limits.timeout_s
        name = operation.__name__
        worker = self._acquire(name, deadline)
        begun = time.monotonic()
        end = _End.BROKEN
        try:
            result = worker.call(operation, deadline, *args, **kwargs)
            end = _End.ANSWERED
            return result
        except (OSError, RefusedPath, TypeError):
            # What the kernel says after a long wait, such as NFS's EIO, is no answer of the server.
            late = time.monotonic() - begun >= self._limits.stalled_s
            end = _End.FAILED_LATE if late else _End.ANSWERED
            raise
        except TookTooLong:
            end = _End.HANGS
            raise self._error(f"{name} did not end within {self._limits.timeout_s:g} s") from None
        except WorkerGone:
            raise self._error(f"the worker process ended in the middle of {name}") from None
        finally:
            self._release(worker, end, begun)

    def end_idle(self) -> None:
        """Ends the workers that nobody has used for a while, and reaps abandoned ones."""
        with self._changed:
            oldest = time.monotonic() - self._limits.idle_s
            old = [worker for worker, since in self._idle if since <= oldest]
            self._idle = [(worker, since) for worker, since in self._idle if since > oldest]
            self._reap()
        for worker in old:
            self._keeper.abandon(worker)

    def close(self) -> None:
        """Ends all workers; operations that are under way fail."""
        with self._changed:
            self._closed = True
            workers = [worker for worker, _ in self._idle]
            self._idle = []
            busy = list(self._busy)
            self._changed.notify_all()
        for worker in busy:
            worker.interrupt()
        for worker in workers:
            self._keeper.abandon(worker)

    def _acquire(self, name: str, deadline: float) -> WorkerProcess:
        with self._changed:
            self._wait_for_turn(name, deadline)
            while self._idle:
                worker, _ = self._idle.pop()
                if worker.is_well():
                    self._busy.add(worker)
                    self._running += 1
                    return worker
                self._keeper.abandon(worker)
                log.warning(
                    "An idle worker process of %s has ended (pid %d)", self._path, worker.pid
                )
            self._running += 1
        try:
            worker = self._keeper.start_worker()
        except BaseException as error:
            with self._changed:
                self._running -= 1
                self._changed.notify()
            if isinstance(error, OSError):
                raise self._error(f"no worker process can be started: {error}") from None
            raise
        with self._changed:
            self._busy.add(worker)
        return worker

    def _wait_for_turn(self, name: str, deadline: float) -> None:
        """Waits until one more operation may run."""
        waiting_since = time.monotonic()
        while True:
            if self._closed:
                raise self._error("its workers were ended")
            self._reap()
            if len(self._abandoned) >= self._limits.abandoned:
                raise self._error(f"{len(self._abandoned)} operations hang, {name} is not tried")
            now = time.monotonic()
            if self._running < (1 if self._suspect else self._limits.workers):
                self._tried = now
                return
            if self._suspect:
                until = self._tried + self._limits.trial_s
            else:
                until = max(self._progress, waiting_since) + self._limits.stalled_s
            until = min(deadline, until)
            if now >= until:
                raise self._error(f"operations hang ({self._running}), {name} is not tried")
            self._changed.wait(until - now)

    def _release(self, worker: WorkerProcess, end: _End, begun: float) -> None:
        with self._changed:
            self._running -= 1
            self._busy.discard(worker)
            self._note(end, begun)
            reuse = end in (_End.ANSWERED, _End.FAILED_LATE) and not self._closed
            if reuse:
                self._idle.append((worker, time.monotonic()))
            elif end is _End.HANGS:
                self._abandoned.append(worker)
            self._changed.notify_all()
        if not reuse:
            self._keeper.abandon(worker)

    def _note(self, end: _End, begun: float) -> None:
        """Learns from the end of an operation how the server does."""
        suspect = self._suspect
        if end is _End.ANSWERED:
            self._progress = time.monotonic()
            suspect = False
        elif end is not _End.BROKEN and self._progress <= begun:
            suspect = True  # unless others were answered meanwhile
        if suspect != self._suspect and not self._closed:
            level = logging.ERROR if suspect else logging.INFO
            how = "does not answer" if suspect else "answers again"
            log.log(level, "Storage at %s %s", self._path, how)
        self._suspect = suspect

    def _reap(self) -> None:
        self._abandoned = [worker for worker in self._abandoned if not worker.ended()]

    def _error(self, reason: str) -> StorageDomainAccessError:
        return StorageDomainAccessError(f"{self._path}: {reason}")
