# SPDX-License-Identifier: GPL-2.0-or-later
"""Connections to supervdsm, and the small pool that threads share.

A connection serves one call at a time. The one that was used last is used next; a stream that
supervdsm has closed in the meantime (it restarted) refuses to take a request, and is thrown away.
"""

import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from vdsm_contract.errors import SupervdsmUnavailable
from vdsm_contract.limits import IDLE_SECONDS, MAX_CONNECTIONS, POOL_SIZE
from vdsm_contract.wire import Channel, MessageTooSlow, StreamClosed

_RETRY_SECONDS: Final = 0.05
"""Pause between two attempts to connect while supervdsm is not there."""


class Connection:
    """One stream to supervdsm, greeted. It belongs to the thread that took it from the pool."""

    __slots__ = ("channel", "used")

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.used = 0.0
        """When it was given back, on time.monotonic()'s clock."""


class ConnectionPool:
    """Up to MAX_CONNECTIONS streams. POOL_SIZE of them are kept idle, and more only for
    IDLE_SECONDS: to open one costs as much as several calls.

    A connection that lies idle is taken without a lock: both ends of a list are changed by single
    operations of the interpreter. Who finds none opens one, or waits for its turn.
    """

    def __init__(self, path: Path, greet: Callable[[Channel, float], None]) -> None:
        self._path = path
        self._greet = greet
        self._idle: list[Connection] = []
        self._changed = threading.Condition()
        self._open = 0
        self._waiting = 0

    def take(self, deadline: float) -> Connection:
        """Return a greeted connection, which must be given back or dropped.

        `deadline` is on time.monotonic()'s clock. Raises SupervdsmUnavailable when it passes, and
        whatever greeting raises of the contract's errors.
        """
        try:
            return self._idle.pop()
        except IndexError:
            return self._wait_or_open(deadline)

    def give_back(self, connection: Connection) -> None:
        """Keep a connection whose call was answered."""
        if connection.channel.pending:  # bytes that nobody asked for
            self.drop(connection)
            return
        connection.used = time.monotonic()
        self._idle.append(connection)
        if self._waiting:
            with self._changed:
                self._changed.notify()
        elif len(self._idle) > POOL_SIZE:
            self._drop_unused(connection.used - IDLE_SECONDS)

    def drop(self, connection: Connection) -> None:
        """Close a connection that can serve no further call."""
        connection.channel.close()
        self._release()

    def close(self) -> None:
        """Close all idle connections."""
        self._drop_unused(float("inf"))

    def _drop_unused(self, since: float) -> None:
        """Drop the idle connections that nobody has used since that time; the first one is the
        one that has lain there for the longest."""
        while True:
            try:
                connection = self._idle.pop(0)
            except IndexError:
                return
            if connection.used >= since:
                self._idle.insert(0, connection)
                return
            self.drop(connection)

    def _wait_or_open(self, deadline: float) -> Connection:
        with self._changed:
            self._waiting += 1
            try:
                while self._open >= MAX_CONNECTIONS:
                    try:
                        return self._idle.pop()
                    except IndexError:
                        if not self._changed.wait(max(deadline - time.monotonic(), 0)):
                            raise SupervdsmUnavailable("all connections are in use") from None
                self._open += 1
            finally:
                self._waiting -= 1
        try:
            return Connection(self._connect(deadline))
        except BaseException:
            self._release()
            raise

    def _release(self) -> None:
        with self._changed:
            self._open -= 1
            self._changed.notify()

    def _connect(self, deadline: float) -> Channel:
        while True:
            try:
                return self._connect_once(deadline)
            except (OSError, StreamClosed, MessageTooSlow) as error:
                # Nothing but Hello was said, so another attempt repeats no call.
                reason = str(error)
            if time.monotonic() + _RETRY_SECONDS >= deadline:
                raise SupervdsmUnavailable(f"{self._path}: {reason}")
            time.sleep(_RETRY_SECONDS)

    def _connect_once(self, deadline: float) -> Channel:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        try:
            sock.settimeout(max(deadline - time.monotonic(), 0.001))
            sock.connect(str(self._path))
            channel = Channel(sock)
            self._greet(channel, deadline)
        except BaseException:
            sock.close()
            raise
        return channel
