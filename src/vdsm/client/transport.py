# SPDX-License-Identifier: GPL-2.0-or-later
"""A STOMP connection of a client: connect, send frames, wait for frames. Blocking."""

from __future__ import annotations

import ipaddress
import socket
import ssl
import time
from collections import deque
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from vdsm.jsonrpc.limits import MIB, FrameLimits
from vdsm.jsonrpc.stomp import SERVER_COMMANDS, Frame, FrameError, Parser
from vdsm.jsonrpc.tls import Identity, TlsError, client_context
from vdsm_contract.paths import MANAGEMENT_PORT

_RECEIVE = 64 * 1024
_ANSWERS = FrameLimits(body_bytes=64 * MIB)  # a host with many machines answers at length


class ConnectError(Exception):
    """vdsm cannot be reached or went away. The message is one sentence, `hint` says what to do."""

    def __init__(self, message: str, hint: str) -> None:
        self.hint = hint
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where vdsm is, and how to speak to it: without `tls`, in plain TCP."""

    host: str
    port: int = MANAGEMENT_PORT
    tls: ssl.SSLContext | None = field(default=None, repr=False)
    name: str = ""  # that the certificate must carry; the host's when empty

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def plain(host: str, port: int = MANAGEMENT_PORT) -> Endpoint:
    """A vdsm with `[vars] ssl = false`, which takes connections from its own host only."""
    return Endpoint(host, port)


def mutual_tls(
    host: str, port: int = MANAGEMENT_PORT, *, identity: Identity, name: str = ""
) -> Endpoint:
    """The usual way. The server's certificate must carry `name`, or `host` when that is empty.

    For this host itself no name is demanded: its certificate carries its public name, not the
    loopback's. Raises ConnectError when the files cannot be used.
    """
    try:
        context = client_context(identity, check_name=bool(name) or not _is_loopback(host))
    except TlsError as error:
        hint = "give --cert, --key and --ca, or --no-tls when vdsm.conf says ssl = false"
        raise ConnectError(str(error), hint) from None
    return Endpoint(host, port, context, name)


class Transport:
    """A connected STOMP session. Raises ConnectError from every method when it is lost."""

    def __init__(self, endpoint: Endpoint, timeout: float) -> None:
        self._endpoint = endpoint
        self._parser = Parser(SERVER_COMMANDS, _ANSWERS)
        self._frames: deque[Frame] = deque()
        deadline = time.monotonic() + timeout
        self._socket = self._connect(timeout)
        try:
            # No heart-beats: this client blocks while it waits, and each call has its time limit.
            headers = {"accept-version": "1.2", "host": endpoint.host, "heart-beat": "0,0"}
            self.send(Frame("CONNECT", headers))
            answer = self.receive(deadline)
            if answer.command != "CONNECTED":
                raise self._lost(f"it answered {answer.command} to CONNECT")
        except BaseException:
            self._socket.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Says goodbye when that is still possible, and closes the socket."""
        try:
            self._socket.sendall(Frame("DISCONNECT").encode())
        except OSError:
            return  # vdsm is gone already: there is nobody to say goodbye to
        finally:
            self._socket.close()

    def send(self, frame: Frame) -> None:
        try:
            self._socket.sendall(frame.encode())
        except OSError as error:
            raise self._lost(_reason(error)) from None

    def ended(self) -> bool:
        """Whether vdsm has closed the connection by now: what is sent on it would be lost."""
        timeout = self._socket.gettimeout()
        self._socket.settimeout(0)
        try:
            while True:
                self._take()
        except (BlockingIOError, ssl.SSLWantReadError):
            return False
        except ConnectError:
            return True
        finally:
            self._socket.settimeout(timeout)

    def receive(self, deadline: float) -> Frame:
        """The next frame. Raises TimeoutError when none came before `deadline` (monotonic)."""
        while not self._frames:
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                raise TimeoutError
            self._socket.settimeout(remaining)
            self._take()
        frame = self._frames.popleft()
        if frame.command == "ERROR":
            raise self._lost(frame.headers.get("message", "it answered with an error"))
        return frame

    def _take(self) -> None:
        """Receive once. Raises TimeoutError, BlockingIOError, SSLWantReadError when none came."""
        try:
            data = self._socket.recv(_RECEIVE)
        except (TimeoutError, BlockingIOError, ssl.SSLWantReadError):
            raise
        except OSError as error:
            raise self._lost(_reason(error)) from None
        if not data:
            raise self._lost("it closed the connection")
        try:
            self._frames.extend(self._parser.feed(data))
        except FrameError as error:
            raise self._lost(f"it does not speak STOMP ({error})") from None

    def _connect(self, timeout: float) -> socket.socket:
        endpoint = self._endpoint
        hint = "is vdsm.socket active, and is this its address? `systemctl status vdsm.socket`"
        try:
            sock = socket.create_connection((endpoint.host, endpoint.port), timeout)
        except UnicodeError:
            why = f"Cannot connect to vdsm on {endpoint}: this is no host name"
            raise ConnectError(why, "give --host a name or an address") from None
        except OSError as error:
            raise ConnectError(
                f"Cannot connect to vdsm on {endpoint}: {_reason(error)}", hint
            ) from None
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if endpoint.tls is None:
            return sock
        try:
            return endpoint.tls.wrap_socket(sock, server_hostname=endpoint.name or endpoint.host)
        except OSError as error:
            sock.close()
            raise ConnectError(
                f"No TLS with vdsm on {endpoint}: {_reason(error)}",
                "both certificates must come from one CA; with ssl = false use --no-tls",
            ) from None

    def _lost(self, why: str) -> ConnectError:
        return ConnectError(
            f"The connection to vdsm on {self._endpoint} was lost: {why}",
            "vdsm's journal says more: `journalctl -u vdsm`",
        )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _reason(error: OSError) -> str:
    if isinstance(error, TimeoutError):
        return "timed out"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is refused: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return error.reason or str(error)
    return error.strerror or str(error)
