# SPDX-License-Identifier: GPL-2.0-or-later
"""A command that works on storage: run without a shell, watched, ended, and left if need be.

A command may hang in the kernel on a dead server, where no signal reaches it. So nothing here waits
for it without an end: it gets a term, is killed, and is then left to a thread that reaps it when
the kernel lets it go. It starts in `/`, because even changing to a dead directory hangs.
"""

from __future__ import annotations

import logging
import os
import re
import selectors
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from vdsm.storage import errors

log = logging.getLogger(__name__)

GRACE_S: Final = 5.0
"""After a term, and again after a kill."""

OUTPUT_LIMIT: Final = 16 << 20
"""Bytes of output; a command that writes more is ended."""

_POLL_S = 0.5
_CHUNK = 1 << 16
_STDERR_TAIL = 2000
_PROGRESS = re.compile(rb"\(([0-9.]+)/100%\)")
_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"}


class CommandError(errors.ImageActionError):
    """A command that failed, did not end in time, or said what nobody expected."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a command ended; `status` is negative for a signal, `stderr` its last lines."""

    status: int
    stdout: bytes
    stderr: str


class Child:
    """One run of a command. `abort` and `progress` are for any thread, `run` is called once."""

    def __init__(
        self,
        argv: Sequence[str],
        *,
        name: str,
        timeout_s: float | None = None,
        grace_s: float = GRACE_S,
    ) -> None:
        """`timeout_s` None: it may take as long as it needs; `name` is how errors call it."""
        self._argv = tuple(argv)
        self._timeout_s = timeout_s
        self._grace_s = grace_s
        self._name = name
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._aborted = threading.Event()
        self._progress = 0.0

    @property
    def progress(self) -> float:
        """In percent, as far as the command told."""
        return self._progress

    def abort(self) -> None:
        """Ends it, or keeps it from starting; `run` then raises TaskAborted."""
        self._aborted.set()
        self._signal(signal.SIGTERM)

    def run(self, on_progress: Callable[[float], None] | None = None) -> Outcome:
        """Starts it and waits for its end, whatever its status. Raises TaskAborted, and
        CommandError when it cannot be started, takes too long or says too much."""
        with self._lock:
            if self._aborted.is_set():
                raise errors.TaskAborted(f"{self._name} was not started")
            self._process = self._start()
        began = time.monotonic()
        try:
            return self._watch(self._process, on_progress)
        finally:
            self._end(self._process)
            took = time.monotonic() - began
            log.info("%s ended with %s after %.3f s", self._name, self._process.returncode, took)

    def _start(self) -> subprocess.Popen[bytes]:
        try:
            return subprocess.Popen(
                self._argv,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd="/",
                env=_ENVIRONMENT,
                process_group=0,
            )
        except OSError as error:
            raise CommandError(f"{self._name} cannot be started: {error.strerror}") from error

    def _watch(
        self, process: subprocess.Popen[bytes], on_progress: Callable[[float], None] | None
    ) -> Outcome:
        deadline = None if self._timeout_s is None else time.monotonic() + self._timeout_s
        stdout, stderr = bytearray(), bytearray()
        with selectors.DefaultSelector() as selector:
            for stream, kept in ((process.stdout, stdout), (process.stderr, stderr)):
                if stream:
                    selector.register(stream, selectors.EVENT_READ, kept)
            while selector.get_map():
                self._check(deadline)
                for key, _ in selector.select(_POLL_S):
                    chunk = os.read(key.fd, _CHUNK)
                    if not chunk:
                        selector.unregister(key.fileobj)
                    key.data.extend(chunk)
                del stderr[:-_STDERR_TAIL]
                if len(stdout) > OUTPUT_LIMIT:
                    raise CommandError(f"{self._name} wrote more than {OUTPUT_LIMIT} bytes")
                self._notice_progress(stdout, on_progress)
        while not self._wait(_POLL_S):
            self._check(deadline)
        if self._aborted.is_set():
            raise errors.TaskAborted(f"{self._name} was ended")
        return Outcome(process.returncode, bytes(stdout), _last_lines(bytes(stderr)))

    def _check(self, deadline: float | None) -> None:
        if self._aborted.is_set():
            raise errors.TaskAborted(f"{self._name} was ended")
        if deadline is not None and time.monotonic() > deadline:
            raise CommandError(f"{self._name} did not end within {self._timeout_s:g} s")

    def _notice_progress(
        self, stdout: bytearray, on_progress: Callable[[float], None] | None
    ) -> None:
        """Takes what is complete, up to the last return of the carriage, out of the output."""
        end = stdout.rfind(b"\r")
        if end < 0:
            return
        told = _PROGRESS.findall(stdout[:end])
        del stdout[: end + 1]
        if told:
            self._progress = min(100.0, float(told[-1]))
            if on_progress:
                on_progress(self._progress)

    def _poll(self) -> int | None:
        with self._lock:
            return self._process.poll() if self._process else None

    def _signal(self, number: signal.Signals) -> None:
        """Within the lock, so that it cannot be reaped meanwhile and its id be another's."""
        with self._lock:
            if self._process and self._process.poll() is None:
                os.killpg(self._process.pid, number)

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        """Leaves no process behind, but for one that the kernel does not let go."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            if self._poll() is not None:
                break
            self._signal(number)
            self._wait(self._grace_s)
        if self._poll() is None:
            log.error("%s (pid %d) hangs in the kernel and is left", self._name, process.pid)
            name = f"reaper/{process.pid}"
            threading.Thread(target=process.wait, name=name, daemon=True).start()
        for stream in (process.stdout, process.stderr):
            if stream:
                stream.close()

    def _wait(self, seconds: float) -> bool:
        """Whether it has ended; waits that long for it."""
        deadline, pause = time.monotonic() + seconds, 0.0005
        while self._poll() is None:
            if time.monotonic() > deadline:
                return False
            time.sleep(pause)
            pause = min(2 * pause, 0.05)
        return True


def _last_lines(stderr: bytes) -> str:
    lines = stderr.decode(errors="replace").strip().splitlines()[-3:]
    return "; ".join("".join(c for c in line if c.isprintable()) for line in lines)
