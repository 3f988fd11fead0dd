# SPDX-License-Identifier: GPL-2.0-or-later
"""The listening thread: accepts connections, admits their peers, gives each a session thread.

The listening socket is systemd's and survives us: while nobody accepts, connections wait in it for
the next instance.
"""

import logging
import os
import selectors
import socket
import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import Final

from supervdsm.server.dispatch import Dispatcher, encode_error
from supervdsm.server.introspect import Introspection
from supervdsm.server.peer import PROBE, Admission, Peer
from supervdsm.server.session import Session
from vdsm_contract.errors import PeerRefused, TooManyConnections
from vdsm_contract.limits import CONNECTIONS_PER_UID
from vdsm_contract.wire import Channel

_log: Final = logging.getLogger(__name__)
_PAUSE_SECONDS: Final = 0.1
"""After accept failed for want of descriptors: the sessions that end give them back."""
_STOP_SECONDS: Final = 1.0
"""What the listening thread may take to stop; a hung one must not use up the sessions' time."""


@dataclass
class Listener:
    """Serves `sock` with a thread for each connection."""

    sock: socket.socket
    dispatcher: Dispatcher
    introspection: Introspection
    admission: Admission

    def __post_init__(self) -> None:
        self.sock.setblocking(False)
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._lock = threading.Lock()
        self._sessions: dict[Session, threading.Thread] = {}
        self._probes: deque[socket.socket] = deque()
        self._stopping = False
        self._thread = threading.Thread(target=self._accept_forever, name="listen", daemon=True)

    def start(self) -> None:
        """Start the listening thread."""
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether the listening thread runs."""
        return self._thread.is_alive()

    def connections(self) -> int:
        """Return how many connections are open, without the watchdog's."""
        with self._lock:
            return sum(1 for session in self._sessions if session.peer is not PROBE)

    def probe(self) -> socket.socket:
        """Return the client's end of a new connection that takes the way that all others take."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        self._probes.append(theirs)
        os.eventfd_write(self._wake, 1)
        return ours

    def drain(self, timeout: float) -> bool:
        """Accept no more, let every session serve what has reached it, and wait for their end.

        The receiving side of each connection is shut down, so a peer's next send fails and is
        known not to have arrived; what had arrived is still served. Returns whether all ended
        within `timeout` seconds.
        """
        self._stopping = True
        os.eventfd_write(self._wake, 1)
        end = time.monotonic() + timeout
        self._thread.join(min(timeout, _STOP_SECONDS))
        with self._lock:
            sessions = dict(self._sessions)
        for session in sessions:
            session.channel.shutdown_reading()
        for thread in sessions.values():
            thread.join(max(end - time.monotonic(), 0))
        return not any(thread.is_alive() for thread in sessions.values())

    def _accept_forever(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self.sock, selectors.EVENT_READ)
            selector.register(self._wake, selectors.EVENT_READ)
            while not self._stopping:
                for key, _events in selector.select():
                    if key.fileobj is self.sock:
                        self._accept()
                    else:
                        self._accept_probes()

    def _accept(self) -> None:
        try:
            sock, _address = self.sock.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        except OSError as error:
            _log.error("cannot accept a connection: %s", error)
            time.sleep(_PAUSE_SECONDS)
            return
        channel = Channel(sock)
        try:
            peer = self.admission.admit(sock)
            self._check_quota(peer)
        except (PeerRefused, TooManyConnections) as error:
            self.dispatcher.turned_away("a connection", error)
            channel.send_now(encode_error(error))
            channel.close()
            return
        self._begin(channel, peer)

    def _accept_probes(self) -> None:
        os.eventfd_read(self._wake)
        while self._probes:
            self._begin(Channel(self._probes.popleft()), PROBE)

    def _check_quota(self, peer: Peer) -> None:
        with self._lock:
            held = sum(
                1
                for session in self._sessions
                if session.peer.uid == peer.uid and session.peer is not PROBE
            )
        if held >= CONNECTIONS_PER_UID:
            raise TooManyConnections(limit=CONNECTIONS_PER_UID)

    def _begin(self, channel: Channel, peer: Peer) -> None:
        session = Session(channel, peer, self.dispatcher, self.introspection)
        thread = threading.Thread(
            target=self._run, args=(session,), name=f"session-{peer.name}", daemon=True
        )
        with self._lock:
            self._sessions[session] = thread
        try:
            thread.start()
        except RuntimeError as error:  # no more threads
            self._end(session)
            _log.error("cannot serve %s: %s", peer.name, error)
            channel.close()

    def _run(self, session: Session) -> None:
        try:
            session.run()
        finally:
            self._end(session)

    def _end(self, session: Session) -> None:
        with self._lock:
            self._sessions.pop(session, None)
