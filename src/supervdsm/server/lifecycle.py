# SPDX-License-Identifier: GPL-2.0-or-later
"""From READY to the end: the main thread watches, and ends the process in one way only.

What must be in order before anybody is served (a network change that was cut off) is done first.
READY=1 is sent once a call went through. WATCHDOG=1 is sent only after a probe took the whole way
of a call (listening thread, session thread, dispatch): a process that only looks alive is killed by
systemd. SIGTERM drains and ends with 0; an Unexpected, or a dead listening thread, drains and
ends with 1, and systemd starts the next instance.
"""

import logging
import os
import select
import signal
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from types import FrameType
from typing import Final

from supervdsm.server import audit
from supervdsm.server.listen import Listener
from vdsm_contract import paths, systemd
from vdsm_contract.interfaces import Service
from vdsm_contract.wire import Channel, MessageTooSlow, OutgoingRequest, StreamClosed, encode

_log: Final = logging.getLogger(__name__)
_IDLE_SECONDS: Final = 10.0
"""How often the listening thread is looked at when no watchdog waits for us."""
_PROBES_PER_INTERVAL: Final = 3
_ASK_SECONDS: Final = 10.0
_FIRST_SECONDS: Final = 900.0
"""What may come before we are ready: the way back of a change, and a restore."""
_MANAGER: Final = paths.HOST_ROOT / "run/systemd/notify"
"""The manager's own socket: conmon, which holds ours, hands on READY=1 and WATCHDOG=1 alone."""


class Lifecycle:
    """Ends the process on a signal or on `fail`; `drain_seconds` is how long calls may take
    then."""

    def __init__(self, *, drain_seconds: float) -> None:
        self._drain_seconds = drain_seconds
        self._wake = os.eventfd(0, os.EFD_CLOEXEC)  # unlike an Event, a signal handler may set it
        self._status = 0
        self._signal = 0
        self.draining = False
        self.at_drain: list[Callable[[], None]] = []
        """Are called when the drain begins, to end verbs that do nothing but wait."""

    def fail(self, identifier: str) -> None:
        """Ask for the end of the process because of the Unexpected `identifier`."""
        _log.critical("ending because of unexpected %s", identifier)
        self._status = 1
        os.eventfd_write(self._wake, 1)

    def run(self, listener: Listener, first: Sequence[Callable[[], None]] = ()) -> int:
        """Do what comes `first`, then serve until asked to end; return the exit status.

        Nobody is served before `first` is done: calls wait in the socket. What fails in it is
        logged and does not keep us from serving.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        _do(first)
        stop_reaper = threading.Event()
        reaper = threading.Thread(
            target=listener.dispatcher.calls.reap_forever,
            args=(stop_reaper,),
            name="reaper",
            daemon=True,
        )
        reaper.start()
        listener.start()
        self._serve(listener)
        self._drain(listener)
        stop_reaper.set()
        return self._status

    def _serve(self, listener: Listener) -> None:
        interval = systemd.watchdog_interval()
        pause = interval / _PROBES_PER_INTERVAL if interval else _IDLE_SECONDS
        ready = False
        wake = select.poll()
        wake.register(self._wake, select.POLLIN)
        while not wake.poll(0):
            if not listener.alive:
                _log.critical("the listening thread has ended")
                self._status = 1
                return
            if _probe(listener, timeout=pause):
                if not ready:
                    systemd.settle()
                systemd.notify("WATCHDOG=1" if ready else "READY=1\nSTATUS=Serving")
                if not ready:
                    _log.info("ready")
                ready = True
            else:
                _log.error("a probe call was not answered within %.1f s", pause)
            if listener.alive:
                wake.poll(pause * 1000)

    def _drain(self, listener: Listener) -> None:
        self.draining = True
        if self._signal:
            _log.info("%s: ending", signal.Signals(self._signal).name)
        systemd.notify("STOPPING=1\nSTATUS=Finishing the calls in flight")
        for end_waiting in self.at_drain:
            end_waiting()
        started = time.monotonic()
        if listener.drain(self._drain_seconds):
            _log.info("drained in %.3f s", time.monotonic() - started)
        else:
            left = listener.dispatcher.calls.snapshot()
            _log.error("left behind: %s", [one.call.method for one in left])

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        self._signal = number
        os.eventfd_write(self._wake, 1)


def _do(first: Sequence[Callable[[], None]]) -> None:
    with _more_time():
        for action in first:
            try:
                action()
            except Exception as defect:
                # One that is never ready could not even say so by its verbs.
                audit.unexpected(uuid.uuid4().hex, "what comes first", defect)


@contextmanager
def _more_time() -> Iterator[None]:
    """Let the service manager wait beyond TimeoutStartSec= until the block ends, within bounds."""
    done = threading.Event()

    def ask() -> None:
        end = time.monotonic() + _FIRST_SECONDS
        while not done.wait(_ASK_SECONDS) and time.monotonic() < end:
            more = f"EXTEND_TIMEOUT_USEC={int(3 * _ASK_SECONDS * 1_000_000)}"
            systemd.notify(more, str(_MANAGER) if _MANAGER.exists() else "")

    asking = threading.Thread(target=ask, name="more-time", daemon=True)
    asking.start()
    try:
        yield
    finally:
        done.set()
        asking.join()


def _probe(listener: Listener, *, timeout: float) -> bool:
    """Make a Ping through the listening thread; return whether it was answered in time."""
    ping = Service.VERBS["ping"]
    try:
        with closing(Channel(listener.probe())) as channel:
            channel.send(encode(OutgoingRequest(ping.method, ping.parameters())))
            return b'"error"' not in channel.receive(timeout)
    except (OSError, StreamClosed, MessageTooSlow):  # OSError: no descriptors, too
        return False


def end(status: int) -> None:
    """End the process now, also when a stuck thread would not let the interpreter end, and also
    when nobody reads what it has left to say."""
    try:
        logging.shutdown()
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(status)
