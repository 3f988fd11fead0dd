# SPDX-License-Identifier: GPL-2.0-or-later
"""The network as the kernel's events tell it, so that a reading need not ask for everything.

A thread listens to rtnetlink's multicast groups. The kernel queues an event before it acknowledges
the change that it is about, and every reading first takes all that is queued: what it returns is
never older than the call.

Not everything is announced: sysctls of a device, LACP's state and a bridge's timers are not. So
`devices` is for what is (which devices there are, their names, kinds, masters, whether they are
up). Who needs all of a device asks for `snapshot`, which dumps the devices, too.

When events come faster than they are taken, the kernel drops some and says ENOBUFS. Then the queue
is emptied, which makes the kernel go on, the socket gets more room, and everything is dumped. When
there is no listening at all, readings are dumps, and the log says so.
"""

import errno
import logging
import os
import select
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

from supervdsm.network.kernel import netlink
from supervdsm.network.kernel.model import Link, Snapshot
from supervdsm.network.kernel.netlink import Netlink
from supervdsm.network.kernel.socket import NetlinkSocket
from supervdsm.network.kernel.tables import Change, Tables

_log: Final = logging.getLogger(__name__)

_GROUPS: Final = (1, 5, 7, 9, 11)
"""RTNLGRP_LINK, IPV4_IFADDR, IPV4_ROUTE, IPV6_IFADDR, IPV6_ROUTE."""
RECEIVE_BYTES: Final = 32 * 1024 * 1024
"""Room for the events of some thousand changes; memory is taken only when they come."""
_MAX_RECEIVE_BYTES: Final = 256 * 1024 * 1024
_GATHER_MILLISECONDS: Final = 100
"""An event rarely comes alone: the thread lets those that follow gather, and takes them at once.
Otherwise it would get in the way of the change that they come from."""

Listener = Callable[[Sequence[Change]], None]


class Cache:
    """The network namespace of this process. May be used by many threads.

    `listener` is told, by the cache's own thread, which devices went up or down. `receive_bytes`
    is what the kernel may queue at first.
    """

    def __init__(
        self, listener: Listener = lambda _: None, *, receive_bytes: int = RECEIVE_BYTES
    ) -> None:
        self._listener = listener
        self._receive_bytes = receive_bytes
        self._lock = threading.Lock()
        self._tables = Tables()
        self._events: _Events | None = None
        self._lost = False

    def start(self) -> None:
        """Listen, unless it does. Raises NetlinkFailed."""
        with self._lock, netlink.typed():
            self._listen()

    def close(self) -> None:
        """Listen no more, until the next reading."""
        with self._lock:
            events = self._events
            if events is not None:
                # The thread closes what this writes to, under the same lock.
                events.end()
        if events is not None:
            events.join()

    def devices(self) -> tuple[Link, ...]:
        """Return the devices that there are. Raises NetlinkFailed."""
        with self._lock:
            if self._refresh():
                return self._tables.links()
        with netlink.connected() as kernel:
            return tuple(kernel.links())

    def snapshot(self) -> Snapshot:
        """Return the devices with all that they say, addresses and default routes.

        Raises NetlinkFailed.
        """
        with self._lock, netlink.connected() as kernel:
            tables = self._tables if self._refresh() else Tables()
            tables.replace(kernel.links(), time.time())
            if tables.addresses is None:
                tables.addresses = tuple(kernel.addresses())
            if tables.routes is None:
                tables.routes = tuple(kernel.default_routes())
            self._publish()
            return Snapshot(links=tables.links(), addresses=tables.addresses, routes=tables.routes)

    def _refresh(self) -> bool:
        """Take what is queued; return False when nobody listens."""
        try:
            self._drain(self._listen())
        except OSError as error:
            _log.warning("No events of the network, so that it is read afresh: %s", error)
            return False
        self._publish()
        return True

    def _listen(self) -> "_Events":
        if self._events is None:
            # What happens during the dump is queued, and taken after it.
            self._events = _Events(self._receive_bytes)
            self._lost = True
            try:
                self._events.start(self._run)
            except OSError:
                self._events.close()
                self._events = None
                raise
        return self._events

    def _drain(self, events: "_Events") -> None:
        """Take all that is queued, and dump all devices when something was lost."""
        while True:
            try:
                for message in events.socket.receive(wait=False):
                    self._tables.apply(message, time.time())
            except BlockingIOError:
                if not self._lost:
                    return
                with NetlinkSocket() as socket:
                    self._tables.fill(Netlink(socket).links(), time.time())
                self._lost = False
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                self._lost = True
                self._receive_bytes = min(2 * self._receive_bytes, _MAX_RECEIVE_BYTES)
                events.socket.set_receive_buffer(self._receive_bytes)
                _log.warning(
                    "Events of the network were lost; reading all of it, and giving them %d bytes",
                    self._receive_bytes,
                )

    def _publish(self) -> None:
        """Let the thread tell what was found by somebody else."""
        if self._events is not None and self._tables.changed:
            self._events.rouse()

    def _run(self, events: "_Events") -> None:
        try:
            while events.wait():
                with self._lock:
                    self._drain(events)
                    changes = self._tables.take_changes()
                if changes:
                    self._listener(changes)
        except Exception:
            _log.exception("The thread that listens to the network died")
        finally:
            with self._lock:
                self._events = None
                events.close()


class _Events:
    """A socket that is subscribed, and the thread that waits for it."""

    def __init__(self, receive_bytes: int) -> None:
        self.socket = NetlinkSocket()
        try:
            self.socket.set_receive_buffer(receive_bytes)
            self.socket.subscribe(_GROUPS)
            self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        except OSError:
            self.socket.close()
            raise
        self._ending = False
        self._thread: threading.Thread | None = None

    def start(self, run: "Callable[[_Events], None]") -> None:
        """Start the thread. Raises OSError."""
        thread = threading.Thread(target=run, args=(self,), name="netlink-events", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:  # no more threads
            raise OSError(errno.EAGAIN, str(error)) from error
        self._thread = thread

    def wait(self) -> bool:
        """Wait for events, or to be roused; return False when it is the end."""
        poll = select.poll()
        poll.register(self.socket, select.POLLIN)
        poll.register(self._wake, select.POLLIN)
        roused = any(fd == self._wake for fd, _ in poll.poll())
        if not roused:
            poll.unregister(self.socket)
            roused = bool(poll.poll(_GATHER_MILLISECONDS))
        if roused:
            os.eventfd_read(self._wake)
        return not self._ending

    def rouse(self) -> None:
        """Let `wait` return."""
        os.eventfd_write(self._wake, 1)

    def end(self) -> None:
        """Let the thread end."""
        self._ending = True
        self.rouse()

    def join(self) -> None:
        """Wait for the end of the thread."""
        if self._thread is not None:
            self._thread.join()

    def close(self) -> None:
        """Give the file descriptors back."""
        self.socket.close()
        os.close(self._wake)
