# SPDX-License-Identifier: GPL-2.0-or-later
"""An engine beside the VM: calls and events by STOMP over TLS, from the VM's peer namespace.

It can also speak through the network under test: its connection begins in the namespace `peer`
inside of the VM then, at the far end of the VM's NICs.
"""

import ctypes
import json
import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from front.wire import Wire
from machines import Machine
from vdsm.client import CallError, Client, ConnectError, Endpoint
from vdsm.jsonrpc.tls import Identity, client_context

ADDRESS: Final = "192.0.2.2"
PORT: Final = 54321
EVENTS: Final = "jms.queue.events"
LINK_EVENT: Final = "|net|host_conn|no_id"
_NEWNET: Final = 0x40000000


@dataclass(frozen=True)
class Refused:
    """vdsm answered by an error."""

    code: int
    message: str
    data: Any

    @property
    def field(self) -> str:
        return str((self.data or {}).get("field", ""))


@dataclass(frozen=True)
class Lost:
    """No answer came: the connection ended, or the time was over."""

    reason: str


class Engine:
    """One engine. Every call is a connection of its own, unless it is made on a `session`."""

    def __init__(self, vm: Machine, pki: Path) -> None:
        self.vm = vm
        self._tls = client_context(Identity.below(pki), check_name=False)
        namespace = Path(f"/run/netns/vdsm-testvm-peer.{vm.name}")
        self._beside = ThreadPoolExecutor(8, initializer=_enter, initargs=(namespace,))
        self._here = ThreadPoolExecutor(8)
        self._session = self.session()

    def close(self) -> None:
        for threads in (self._beside, self._here):
            threads.shutdown(cancel_futures=True)

    def session(self) -> "Session":
        """A connection over eth0, which no test changes."""
        return Session(self._beside, Endpoint(ADDRESS, PORT, self._tls))

    def reconnect(self) -> None:
        """Forget the connection that calls are made by: the vdsm at its other end is gone."""
        self._session.close()
        self._session = self.session()

    @contextmanager
    def through(self, address: str) -> Iterator["Session"]:
        """A connection from the namespace `peer` in the VM to `address`, by way of its network."""
        with socket.create_server(("127.0.0.1", 0)) as server:
            threading.Thread(target=self._relay, args=(server, address), daemon=True).start()
            port = server.getsockname()[1]
            session = Session(self._here, Endpoint("127.0.0.1", port, self._tls))
            try:
                yield session
            finally:
                session.close()

    def _relay(self, server: socket.socket, address: str) -> None:
        dial = f"exec 3<>/dev/tcp/{address}/{PORT} && {{ cat <&3 & cat >&3; kill $!; }}"
        command = [str(self.vm.tool), "exec", self.vm.name, "--"]
        command += ["ip", "netns", "exec", "peer", "bash", "-c", dial]
        with suppress(OSError):  # closed: the test is over
            while True:
                connection, _ = server.accept()
                with connection:
                    fd = connection.fileno()
                    subprocess.Popen(command, stdin=fd, stdout=fd)

    # --- calls by the session over eth0 ---------------------------------------------------------

    def call(self, method: str, *, timeout: float = 120, **params: Any) -> Any:
        """Return the result of a call, a Refused or a Lost."""
        return self._session.call(method, timeout=timeout, **params)

    def caps(self) -> Any:
        return self.call("Host.getCapabilities")

    def setup(
        self,
        networks: dict[str, Any] | None = None,
        bondings: dict[str, Any] | None = None,
        *,
        timeout: float = 300,
        **options: Any,
    ) -> Any:
        """Host.setupNetworks; nobody has to confirm it unless the options say so."""
        return self._session.setup(networks, bondings, timeout=timeout, **options)

    @contextmanager
    def events(self) -> Iterator["Events"]:
        """Events of vdsm that are published from now on."""
        wire = self._beside.submit(lambda: Wire(PORT, self._tls, host=ADDRESS)).result()
        wire.connect()
        wire.frame("SUBSCRIBE", id="1", destination=EVENTS, ack="auto", receipt="r")
        wire.recv("RECEIPT", 90)
        with wire:
            yield Events(wire)


class Session:
    """One connection, made with its first call; calls go one after the other."""

    def __init__(self, threads: ThreadPoolExecutor, endpoint: Endpoint) -> None:
        self._threads = threads
        self._client = Client(endpoint)
        self._lock = threading.Lock()

    def start(self, method: str, *, timeout: float = 120, **params: Any) -> "Future[Any]":
        """Make a call, and let it go on."""
        return self._threads.submit(self._attempt, method, timeout, params)

    def call(self, method: str, *, timeout: float = 120, **params: Any) -> Any:
        return self.start(method, timeout=timeout, **params).result()

    def start_setup(
        self,
        networks: dict[str, Any] | None = None,
        bondings: dict[str, Any] | None = None,
        *,
        timeout: float = 300,
        **options: Any,
    ) -> "Future[Any]":
        options = {"connectivityCheck": False, **options}
        return self.start(
            "Host.setupNetworks",
            timeout=timeout,
            networks=networks or {},
            bondings=bondings or {},
            options=options,
        )

    def setup(self, *networks_and_bondings: Any, timeout: float = 300, **options: Any) -> Any:
        return self.start_setup(*networks_and_bondings, timeout=timeout, **options).result()

    def close(self) -> None:
        self._client.close()

    def _attempt(self, method: str, timeout: float, params: dict[str, Any]) -> Any:
        with self._lock:
            try:
                return self._client.call(method, timeout=timeout, **params)
            except CallError as error:
                return Refused(error.code, error.message, error.data)
            except (ConnectError, TimeoutError, OSError) as error:
                return Lost(f"{type(error).__name__}: {error}")


class Events:
    """What a subscriber gets."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def next(self, timeout: float = 90) -> Any:
        """The next event. Raises TimeoutError."""
        return json.loads(self._wire.recv("MESSAGE", timeout).body)

    def drain(self, quiet: float = 2.5) -> int:
        """Drop events until none came for `quiet` seconds; return how many there were.

        vdsm makes one of what happens within a second.
        """
        count = 0
        with suppress(TimeoutError):
            while True:
                self.next(quiet)
                count += 1
        return count


def _enter(namespace: Path) -> None:
    """Move this thread, and no other, to a network namespace."""
    libc = ctypes.CDLL(None, use_errno=True)
    fd = os.open(namespace, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if libc.setns(fd, _NEWNET):
            raise OSError(ctypes.get_errno(), f"setns {namespace}")
    finally:
        os.close(fd)
