# SPDX-License-Identifier: GPL-2.0-or-later
"""One worker process as vdsm sees it."""

from __future__ import annotations

import select
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import ParamSpec, TypeVar

import msgspec

import vdsm
from vdsm.storage.outofprocess import frames
from vdsm.storage.outofprocess.frames import Answer, Request, Status
from vdsm.storage.outofprocess.walk import RefusedPath

P = ParamSpec("P")
R = TypeVar("R")

# Without `site`, which a worker does not need: where the two packages are is said here.
_PACKAGES = [str(Path(module.__file__ or "").parents[1]) for module in (vdsm, msgspec)]
_MAIN = (
    "import sys; sys.path[:0] = sys.argv[2:]; "
    "from vdsm.storage.outofprocess.worker import main; main(int(sys.argv[1]))"
)


class WorkerGone(Exception):
    """The process ended in the middle of an operation."""


class TookTooLong(Exception):
    """The operation has not ended by its deadline."""


class WorkerProcess:
    """For one thread at a time."""

    def __init__(self, parent: int) -> None:
        """Starts the process. The kernel kills it when the calling thread ends, so that this is for
        a thread that stays (prctl(2): PR_SET_PDEATHSIG). Raises OSError."""
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                self._process = subprocess.Popen(
                    [sys.executable, "-I", "-S", "-c", _MAIN, str(parent), *_PACKAGES],
                    stdin=theirs.fileno(),
                    stdout=subprocess.DEVNULL,
                    cwd="/",  # no place on a storage server
                )
            except BaseException:
                ours.close()
                raise
        ours.setblocking(False)
        self._connection = ours
        self.pid = self._process.pid

    def call(
        self,
        operation: Callable[P, R],
        deadline: float,
        *args: P.args,
        **kwargs: P.kwargs,  # noqa: ARG002 - none; a ParamSpec comes as a pair
    ) -> R:
        """Does one operation until `deadline` (of time.monotonic()). Raises what it raises, and
        TookTooLong or WorkerGone, after which the process is of no more use."""
        answer = self._exchange(Request(operation.__name__, list(args)), deadline)
        match answer.status:
            case Status.DONE:
                result: R = frames.result_decoder(operation).decode(answer.value)
                return result
            case Status.OS_ERROR:
                failure = frames.decode_failure(answer.value)
                raise OSError(failure.errno, failure.strerror, failure.path)
            case Status.REFUSED:
                refusal = frames.decode_refusal(answer.value)
                raise RefusedPath(refusal.path, refusal.why)
            case Status.BROKEN:
                raise TypeError(frames.decode_text(answer.value))

    def _exchange(self, request: Request, deadline: float) -> Answer:
        message = frames.encode(request)
        try:
            self._send(frames.framed(message), deadline)
            return frames.decode_answer(frames.read(lambda size: self._receive(size, deadline)))
        except TimeoutError:
            raise TookTooLong from None
        except (EOFError, OSError, msgspec.DecodeError) as error:
            raise WorkerGone(str(error)) from None

    def _send(self, data: bytes, deadline: float) -> None:
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[self._connection.send(rest) :]
            except BlockingIOError:
                self._wait(select.POLLOUT, deadline)

    def _receive(self, size: int, deadline: float) -> bytes:
        while True:
            self._wait(select.POLLIN, deadline)
            with suppress(BlockingIOError):
                return self._connection.recv(size)

    def _wait(self, event: int, deadline: float) -> None:
        """Raises TimeoutError."""
        poll = select.poll()
        poll.register(self._connection, event)
        if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
            raise TimeoutError

    def is_well(self) -> bool:
        """Whether the process is there to take a request."""
        try:
            self._connection.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False  # its end of the pair is closed, or it talks out of turn

    def ended(self) -> bool:
        """Whether the process is gone; it is reaped then."""
        return self._process.poll() is not None

    def interrupt(self) -> None:
        """SIGKILL, from another thread than the one that calls: its `call` raises WorkerGone."""
        self._process.kill()
        with suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)

    def kill(self) -> None:
        """SIGKILL. While the kernel holds the process, that only takes effect later."""
        self._process.kill()
        self._connection.close()
