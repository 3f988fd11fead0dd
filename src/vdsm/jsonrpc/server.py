# SPDX-License-Identifier: GPL-2.0-or-later
"""Accepts connections, within limits, and ends them when vdsm stops."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import socket
import ssl
from collections import Counter
from collections.abc import Callable

from vdsm.jsonrpc.broker import Broker
from vdsm.jsonrpc.connection import Connection
from vdsm.jsonrpc.events import QUEUE, Events
from vdsm.jsonrpc.limits import Limits
from vdsm.jsonrpc.registry import Address
from vdsm.jsonrpc.rpc import Rpc
from vdsm.jsonrpc.session import Session

log = logging.getLogger(__name__)

_ACCEPT_AT_ONCE = 32
_ACCEPT_PAUSE_S = 0.5  # after accept() failed for want of descriptors or memory
_KEEPALIVE = {  # a peer that vanished without a FIN is noticed after two minutes
    socket.TCP_KEEPIDLE: 60,
    socket.TCP_KEEPINTVL: 10,
    socket.TCP_KEEPCNT: 6,
}


def address(name: tuple[object, ...]) -> Address:
    """A socket's name; an IPv4 address that came in over IPv6 is written as IPv4."""
    host, port = str(name[0]), int(str(name[1]))
    host = host.partition("%")[0]
    return Address(host.removeprefix("::ffff:") if "." in host else host, port)


def is_loopback(host: str) -> bool:
    return ipaddress.ip_address(host).is_loopback


def _forget_frames(error: BaseException) -> None:
    """Break the cycles between an error, asyncio's frames in its traceback, and the futures there
    that hold the error: they would keep the buffers of TLS until a full garbage collection, which
    may be thousands of handshakes later."""
    found: BaseException | None = error
    while found is not None:
        found.__traceback__ = None
        found = found.__context__


class Server:
    """Serves listening sockets that somebody else opened.

    With `tls` None it speaks plain TCP, and to loopback peers only. `tls` may be replaced while it
    serves: connections that come later use the new one.
    """

    def __init__(
        self,
        *,
        sockets: list[socket.socket],
        tls: ssl.SSLContext | None,
        rpc: Rpc,
        events: Events,
        limits: Limits,
        name: str,
    ) -> None:
        self.tls = tls
        self._sockets = sockets
        self._rpc = rpc
        self._events = events
        self._limits = limits
        self._name = name
        self._broker = Broker()
        self._loop = asyncio.get_running_loop()
        self._connections: set[Connection] = set()
        self._handshakes: dict[asyncio.Task[None], Address] = {}  # the oldest first
        self._shaking: Counter[str] = Counter()  # unfinished handshakes by peer address
        self._accepting = False
        self._empty = asyncio.Event()
        self._empty.set()

    @property
    def connections(self) -> int:
        """How many clients have shown a certificate and are connected."""
        return len(self._connections)

    def start(self) -> None:
        """Begins to accept, and to pass events on."""
        for sock in self._sockets:
            sock.setblocking(False)
        self._accepting = True
        self._resume_accepting()
        self._events.bind(self._publish)

    def stop_accepting(self) -> None:
        """Leaves new connections in the listening sockets' backlog, for the next vdsm."""
        self._accepting = False
        for sock in self._sockets:
            self._loop.remove_reader(sock)
        for task in self._handshakes:
            task.cancel()
        for connection in self._connections:
            connection.hold()

    async def close(self) -> None:
        """Sends what is still to be sent and ends all connections, within `close_s`."""
        self._events.bind(None)
        for connection in list(self._connections):
            connection.finish()
        try:
            async with asyncio.timeout(self._limits.close_s * 2):
                await self._empty.wait()
        except TimeoutError:
            log.warning("%d clients did not take their last bytes", len(self._connections))

    # --- accepting ----------------------------------------------------------------------------

    def _resume_accepting(self) -> None:
        if self._accepting:
            for sock in self._sockets:
                self._loop.add_reader(sock, self._accept, sock)

    def _accept(self, listener: socket.socket) -> None:
        for _ in range(_ACCEPT_AT_ONCE):
            try:
                sock, name = listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                log.error("Cannot accept connections: %s", error)  # noqa: TRY400
                self._loop.remove_reader(listener)
                self._loop.call_later(_ACCEPT_PAUSE_S, self._resume_accepting)
                return
            self._admit(sock, address(name))

    def _admit(self, sock: socket.socket, client: Address) -> None:
        """Takes a new connection, or closes it at once when it is one too many."""
        refusal = self._refusal(client)
        if refusal:
            log.warning("Refusing %s: %s", client, refusal)
            sock.close()
            return
        sock.setblocking(False)
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            for option, value in _KEEPALIVE.items():
                sock.setsockopt(socket.IPPROTO_TCP, option, value)
            local = address(sock.getsockname())
        except OSError as error:  # the peer is gone already
            log.info("%s left while it was accepted: %s", client, error)
            sock.close()
            return
        self._shaking[client.host] += 1
        task = self._loop.create_task(self._shake_hands(sock, client, local))
        self._handshakes[task] = client
        task.add_done_callback(lambda done: self._handshakes.pop(done, None))
        self._bound_handshakes()

    def _refusal(self, client: Address) -> str:
        if self.tls is None and not is_loopback(client.host):
            return "TLS is off, and then only this host itself may connect"
        if self.tls and self._shaking[client.host] >= self._limits.handshakes_per_peer:
            return "too many of its connections have not finished their TLS handshake"
        return self._full()

    def _full(self) -> str:
        limit = self._limits.connections
        return f"{limit} connections are open" if len(self._connections) >= limit else ""

    def _bound_handshakes(self) -> None:
        """Ends the oldest handshake when there are too many. An engine's takes milliseconds: those
        who only hold a place cannot keep it out, from however many addresses they come."""
        if len(self._handshakes) > self._limits.handshakes:
            task, client = next(iter(self._handshakes.items()))
            log.warning(
                "Dropping %s: it has not finished its TLS handshake, and others wait", client
            )
            del self._handshakes[task]
            task.cancel()

    async def _shake_hands(self, sock: socket.socket, client: Address, local: Address) -> None:
        tls = self.tls
        factory = self._factory(client, local)
        try:
            if tls is None:
                await self._loop.connect_accepted_socket(factory, sock)
            else:
                await self._loop.connect_accepted_socket(
                    factory,
                    sock,
                    ssl=tls,
                    ssl_handshake_timeout=self._limits.handshake_s,
                    ssl_shutdown_timeout=self._limits.close_s,
                )
        except (OSError, ssl.SSLError) as error:
            log.warning("TLS handshake with %s failed: %s", client, error)
            sock.close()
            _forget_frames(error)
        except asyncio.CancelledError:
            sock.close()
            raise
        finally:
            self._shaking[client.host] -= 1
            self._shaking += Counter()  # forgets the addresses that are at zero

    # --- connections --------------------------------------------------------------------------

    def _factory(self, client: Address, local: Address) -> Callable[[], Connection]:
        def session(link: Connection) -> Session:
            return Session(
                link, broker=self._broker, rpc=self._rpc, limits=self._limits, name=self._name
            )

        return lambda: Connection(
            client=client,
            local=local,
            limits=self._limits,
            session=session,
            on_made=self._made,
            on_lost=self._lost,
        )

    def _made(self, connection: Connection) -> None:
        full = self._full()
        self._connections.add(connection)
        self._empty.clear()
        if full:
            connection.drop(full)
        else:
            log.info("%s connected", connection.client)

    def _lost(self, connection: Connection) -> None:
        self._connections.discard(connection)
        if not self._connections:
            self._empty.set()

    # --- events -------------------------------------------------------------------------------

    def _publish(self, body: bytes) -> None:
        """Passes an event on; called on any thread."""
        headers = {"content-type": "application/json"}
        try:
            self._loop.call_soon_threadsafe(self._broker.publish, QUEUE, headers, body)
        except RuntimeError:
            log.debug("An event came when the server had ended")
