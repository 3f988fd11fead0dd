# SPDX-License-Identifier: GPL-2.0-or-later
"""A connection to sanlock that leases hang on: when it ends, sanlock gives them to others.

sanlock knows vdsm by this connection. It kills vdsm when a lease is lost; the other way round, a
connection that ends while leases are held (sanlock died) ends vdsm at once, for nothing says any
more that the leases are ours. vdsm is pid 1 of its container, so all that it started ends with it.
"""

from __future__ import annotations

import errno
import logging
import os
import select
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from vdsm.storage.locks.binding import Binding, SanlockError, translated
from vdsm.storage.model import Lease
from vdsm_contract import flow

log = logging.getLogger(__name__)

_STATUS: Final = 3
"""Exit status of a vdsm that lost its connection to sanlock."""


def end_process() -> None:
    """Ends vdsm at once, without cleaning up: nothing may be written any more."""
    logging.shutdown()
    os._exit(_STATUS)


@dataclass(eq=False)
class _Connection:
    """One connection, and what hangs on it."""

    fd: int
    held: dict[Lease, str] = field(default_factory=dict)
    """Each lease with the flow that took it."""

    def ended(self, timeout_ms: int | None = 0) -> bool:
        """Whether sanlock closed it; waits at most `timeout_ms`, or (None) until it does."""
        poll = select.poll()
        poll.register(self.fd, select.POLLRDHUP)
        return bool(poll.poll(timeout_ms))


class Registration:
    """The leases of this process in one domain. For any thread.

    A domain has a connection of its own, so that a dead server holds up no other domain's leases.
    """

    def __init__(
        self, binding: Callable[[], Binding], lost: Callable[[], None] = end_process
    ) -> None:
        self._binding = binding
        self._lost = lost
        self._lock = threading.Lock()
        self._connection: _Connection | None = None

    def acquire(self, lease: Lease, *, lvb: bool = False) -> None:
        """Raises SanlockError; EEXIST also when this process holds the lease already."""
        with self._lock:
            connection = self._connected()
            binding = self._binding()
            with translated(binding):
                binding.acquire(*_resource(lease), slkfd=connection.fd, lvb=lvb)
            connection.held[lease] = flow.current()
            if connection.ended():  # while we were told yes: the watch may have seen nothing held
                self._end(connection)

    def release(self, lease: Lease) -> None:
        """Raises SanlockError."""
        with self._lock:
            connection = self._connection
            if connection is None or lease not in connection.held:
                raise SanlockError(errno.ENOENT, f"{lease.name} is not held")
            binding = self._binding()
            with translated(binding):
                binding.release(*_resource(lease), slkfd=connection.fd)
            connection.held.pop(lease, None)

    def held(self) -> list[str]:
        """The names of the leases that this process has."""
        with self._lock:
            return sorted(lease.name for lease in self._connection.held) if self._connection else []

    def _connected(self) -> _Connection:
        if self._connection is not None and self._connection.ended():
            os.close(self._connection.fd)  # nothing was held: sanlock was restarted meanwhile
            self._connection = None
        if self._connection is None:
            binding = self._binding()
            with translated(binding):
                self._connection = _Connection(binding.register())
            os.set_inheritable(self._connection.fd, False)  # a child would outlive us with leases
            threading.Thread(
                target=self._watch, args=(self._connection,), name="sanlock", daemon=True
            ).start()
        return self._connection

    def _watch(self, connection: _Connection) -> None:
        connection.ended(None)
        if connection.held:  # no lock: its holder may be waiting for a sanlock that is gone
            self._end(connection)

    def _end(self, connection: _Connection) -> None:
        # No request ends it: it is told in each flow that took a lease, for vdsm-tool trace.
        for lease, flow_id in list(connection.held.items()):
            with flow.bound(flow_id):
                log.critical("sanlock ended, and with it the lease %s of this vdsm", lease.name)
        self._lost()


def _resource(lease: Lease) -> tuple[bytes, bytes, list[tuple[str, int]]]:
    return lease.lockspace.encode(), lease.name.encode(), [(lease.path, lease.offset)]
