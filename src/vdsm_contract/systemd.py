# SPDX-License-Identifier: GPL-2.0-or-later
"""The small protocols by which systemd starts, watches and logs a service.

Sources: sd_listen_fds(3), sd_notify(3), and conmon(8) for the journal.
"""

import gc
import logging
import os
import socket
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, TextIO, cast

from vdsm_contract import flow

_FIRST_FD: Final = 3

WATCHDOG_ENV: Final = "VDSM_WATCHDOG_USEC"
"""Our own name for WATCHDOG_USEC: podman does not pass systemd's into a container."""

METRICS_FD: Final = "metrics"
"""The FileDescriptorName= of the sockets that metrics are served on; podman hands the names on."""


_LATER_LINES: Final = 30
"""So many lines do not wait any longer. Those of calls fill one piece then."""
_MOST_LINES: Final = 3000
"""So many lines wait at most, while one that writes is held up."""
_PIECE: Final = 4096
"""What goes into a pipe as a whole, in bytes (PIPE_BUF, pipe(7))."""
_NAMES: Final = {level: logging.getLevelName(level) for level in (logging.DEBUG, logging.INFO)}
_journal: Final[list[logging.Handler]] = []
"""The handlers that write for the journal, once they are set up."""


@dataclass(frozen=True)
class Passed:
    """The listening sockets that systemd passed in, each kind in the order of its socket unit."""

    calls: list[socket.socket]
    metrics: list[socket.socket]
    """Those that their unit named METRICS_FD."""


def listen_fds() -> Passed:
    """Take the sockets that systemd passed in.

    LISTEN_PID is not compared: podman sets it to 1, which is wrong with the host's pid namespace.
    The variables are removed, so that child processes do not take the sockets for theirs.
    """
    count = int(os.environ.pop("LISTEN_FDS", "0"))
    names = os.environ.pop("LISTEN_FDNAMES", "").split(":")
    os.environ.pop("LISTEN_PID", None)
    passed = Passed([], [])
    for fd, name in zip(range(_FIRST_FD, _FIRST_FD + count), [*names, *[""] * count], strict=False):
        os.set_inheritable(fd, False)
        kind = passed.metrics if name == METRICS_FD else passed.calls
        kind.append(socket.socket(fileno=fd))
    return passed


def notify(state: str, address: str = "") -> bool:
    """Send `state` (such as "READY=1") to the service manager, at `address` or at NOTIFY_SOCKET.

    Returns whether there is a service manager to tell: False without NOTIFY_SOCKET. A manager that
    went away is not an error of the service, and a want of descriptors passes, so OSError is not
    raised but also returns False.
    """
    address = address or os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return False
    if address.startswith("@"):
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
            sock.sendto(state.encode(), address)
    except OSError:
        return False
    return True


def settle() -> None:
    """Tell Python that what is there now stays: its collector need not go through it again.

    For a service that is ready. A full collection between two calls took 8 ms else, most of it for
    modules and what they hold.
    """
    gc.collect()
    gc.freeze()


def watchdog_interval() -> float | None:
    """Return how many seconds may pass between two WATCHDOG=1, None when nobody watches.

    Raises ValueError when the variable is not a positive number of microseconds.
    """
    text = os.environ.get(WATCHDOG_ENV, "")
    if not text:
        return None
    microseconds = int(text)
    if microseconds <= 0:
        raise ValueError(f"{WATCHDOG_ENV}={text}: expected a positive number of microseconds")
    return microseconds / 1_000_000


class _Formatter(logging.Formatter):
    """Adds the flow id that is bound to the end of a record's first line, unless it is in there."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        """Format one record, without its traceback."""
        text = super().formatMessage(record)
        flow_id = flow.current()
        if not flow_id:
            return text
        first, newline, rest = text.partition("\n")
        token = f" flow={flow.told(flow_id)}"
        return text if token in first else f"{first}{token}{newline}{rest}"


class _Calm(logging.StreamHandler[TextIO]):
    """Writes to stdout what is below WARNING. Lines may wait in it for others, and for flush()."""

    def __init__(self) -> None:
        super().__init__(sys.stdout)
        self._waiting: list[str] = []
        # logging holds it while it calls emit(), and StreamHandler.flush() takes it: one of our own
        # beside it would be taken in both orders.
        self._guard = cast(threading.RLock, self.lock)

    def line(self, text: str, later: bool) -> None:
        """Write a line of ASCII, in its turn. Raises OSError."""
        # No lock for a line that waits: a list takes it by one operation of the interpreter.
        self._waiting.append(text)
        if later and len(self._waiting) < _LATER_LINES:
            return
        # Nor does it wait for another thread that writes, unless nobody reads what is written.
        patient = not later or len(self._waiting) >= _MOST_LINES
        if self._guard.acquire(blocking=patient):
            try:
                self._write_waiting()
            finally:
                self._guard.release()

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record, after the lines that wait."""
        self.flush()
        super().emit(record)

    def flush(self) -> None:
        """Write the lines that wait."""
        with self._guard, suppress(OSError, ValueError):  # as when nobody reads the log any more
            self._write_waiting()
            super().flush()

    def _write_waiting(self) -> None:
        """Write the lines that wait now, in pieces that a pipe takes as a whole."""
        lines = self._waiting[:]
        del self._waiting[: len(lines)]  # others may have added to it in the meantime
        piece = ""
        for line in lines:
            if piece and len(piece) + len(line) > _PIECE:
                os.write(self.stream.fileno(), piece.encode())
                piece = ""
            piece += line
        if piece:
            os.write(self.stream.fileno(), piece.encode())


def log_to_journal(level: str) -> None:
    """Log from `level` on: up to INFO to stdout, the rest to stderr.

    Podman's journald driver gives stdout the priority "info" and stderr "err", and knows no prefix.
    """
    calm = _Calm()
    calm.addFilter(lambda record: record.levelno < logging.WARNING)
    alarmed = logging.StreamHandler(sys.stderr)
    alarmed.setLevel(logging.WARNING)
    for handler in (calm, alarmed):
        handler.setFormatter(_Formatter("%(levelname)s %(name)s: %(message)s"))
    _journal[:] = [calm, alarmed]
    logging.basicConfig(level=level, handlers=_journal, force=True)


def log_line(logger: logging.Logger, level: int, text: str, *, later: bool = False) -> None:
    """Log `text` as `logger` does at `level`, which is enabled: one line of ASCII, its flow in it.

    Up to INFO, and where nobody but the journal listens, a line costs a fifth of what logging takes
    for it: for those that are written at each call. One that may come `later` waits for company: it
    is written with the next that may not, when there are many, or at `flush_log`.
    """
    if level < logging.WARNING and _journal and logging.root.handlers == _journal:
        calm = cast("_Calm", _journal[0])
        try:
            calm.line(f"{_NAMES[level]} {logger.name}: {text}\n", later)
            return
        except OSError:
            pass  # logging has its own way of telling that
    logger.log(level, "%s", text)


def flush_log() -> None:
    """Write the lines that wait."""
    for handler in _journal:
        handler.flush()
