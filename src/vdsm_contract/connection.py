# SPDX-License-Identifier: GPL-2.0-or-later
"""Connections to supervdsm, and the small pool that threads share.

A connection serves one call at a time. Before it is used again it is looked at: one that supervdsm
has closed in the meantime (it restarted) is thrown away, so a call is never sent into a dead
stream.
"""

import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from vdsm_contract.errors import SupervdsmUnavailable
from vdsm_contract.limits import MAX_CONNECTIONS, POOL_SIZE
from vdsm_contract.wire import Channel, MessageTooSlow, StreamClosed

_RETRY_SECONDS: Final = 0.05
"""Pause between two attempts to connect while supervdsm is not there."""


class Connection:
    """One stream to supervdsm, greeted. `reusable` is set once its call was answered."""

    def __init__(self, channel: Channel, deadline: float) -> None:
        self.channel = channel
        self.deadline = deadline
        """Until when this connection may wait, on time.monotonic()'s clock."""
        self.reusable = False
        self._poll = select.poll()
        self._poll.register(channel.fileno(), select.POLLIN)

    def stale(self) -> bool:
        """Whether the idle stream has ended, or carries bytes that nobody asked for."""
        return self.channel.pending or bool(self._poll.poll(0))


class ConnectionPool:
    """Up to MAX_CONNECTIONS streams, POOL_SIZE of them kept idle, last used first."""

    def __init__(self, path: Path, greet: Callable[[Connection], None]) -> None:
        self._path = path
        self._greet = greet
        self._idle: list[Connection] = []
        self._lock = threading.Lock()
        self._slots = threading.BoundedSemaphore(MAX_CONNECTIONS)

    @contextmanager
    def lease(self, deadline: float) -> Iterator[Connection]:
        """Lend a greeted connection until the block ends; it is kept if it is `reusable` then.

        `deadline` is on time.monotonic()'s clock. Raises SupervdsmUnavailable when it passes, and
        whatever greeting raises of the contract's errors.
        """
        if not self._slots.acquire(timeout=max(deadline - time.monotonic(), 0)):
            raise SupervdsmUnavailable("all connections are in use")
        try:
            connection = self._take_idle() or self._connect(deadline)
            connection.reusable = False
            try:
                yield connection
            finally:
                self._put_back(connection)
        finally:
            self._slots.release()

    def close(self) -> None:
        """Close all idle connections."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.channel.close()

    def _take_idle(self) -> Connection | None:
        while True:
            with self._lock:
                if not self._idle:
                    return None
                connection = self._idle.pop()
            if not connection.stale():
                return connection
            connection.channel.close()

    def _put_back(self, connection: Connection) -> None:
        if connection.reusable:
            with self._lock:
                if len(self._idle) < POOL_SIZE:
                    self._idle.append(connection)
                    return
        connection.channel.close()

    def _connect(self, deadline: float) -> Connection:
        while True:
            try:
                return self._connect_once(deadline)
            except (OSError, StreamClosed, MessageTooSlow) as error:
                # Nothing but Hello was said, so another attempt repeats no call.
                reason = str(error)
            if time.monotonic() + _RETRY_SECONDS >= deadline:
                raise SupervdsmUnavailable(f"{self._path}: {reason}") from None
            time.sleep(_RETRY_SECONDS)

    def _connect_once(self, deadline: float) -> Connection:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        try:
            sock.settimeout(max(deadline - time.monotonic(), 0.001))
            sock.connect(str(self._path))
            connection = Connection(Channel(sock), deadline)
            self._greet(connection)
        except BaseException:
            sock.close()
            raise
        return connection
