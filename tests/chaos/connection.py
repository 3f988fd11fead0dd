# SPDX-License-Identifier: GPL-2.0-or-later
"""A STOMP connection over TLS that hides nothing: every answer is handed on, asked for or not."""

import ctypes
import json
import os
import socket
import ssl
import struct
import time
import uuid
from collections import deque
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from vdsm.jsonrpc.limits import MIB, FrameLimits
from vdsm.jsonrpc.stomp import SERVER_COMMANDS, Frame, FrameError, Parser

PORT: Final = 54321
REQUESTS: Final = "jms.topic.vdsm_requests"
_CLONE_NEWNET: Final = 0x40000000
_LIMITS: Final = FrameLimits(body_bytes=64 * MIB)
_libc = ctypes.CDLL(None, use_errno=True)


class Lost(Exception):
    """The connection ended, or could not be made; the message is why, in a word or two."""


def enter_network(namespace: Path) -> None:
    """Move the calling thread, and no other, into a network namespace. setns(2)."""
    with namespace.open("rb") as file:
        if _libc.setns(file.fileno(), _CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f"setns {namespace}")


class Connection:
    """Connects at once. Raises Lost from every method when it has ended."""

    def __init__(self, address: str, tls: ssl.SSLContext, timeout_s: float) -> None:
        self._queue = f"chaos.{uuid.uuid4()}"
        self._parser = Parser(SERVER_COMMANDS, _LIMITS)
        self._ready: deque[Frame] = deque()
        deadline = time.monotonic() + timeout_s
        try:
            raw = socket.create_connection((address, PORT), timeout_s)
            self._socket = tls.wrap_socket(raw, server_hostname=address)
        except OSError as error:
            raise Lost(f"connect: {_why(error)}") from None
        headers = {"accept-version": "1.2", "host": "vdsm", "heart-beat": "0,0"}
        self._write(Frame("CONNECT", headers))
        self._write(Frame("SUBSCRIBE", {"id": "1", "destination": self._queue}))
        if next(self._frames(deadline), Frame("")).command != "CONNECTED":
            self.close()
            raise Lost("not connected")

    def send(self, identity: str, verb: str, params: Mapping[str, Any]) -> None:
        """Send a call. When this raises Lost, it may have arrived nevertheless."""
        body = {"jsonrpc": "2.0", "id": identity, "method": verb, "params": params}
        headers = {
            "destination": REQUESTS,
            "reply-to": self._queue,
            "ovirtCorrelationId": f"chaos-{identity}",
        }
        self._write(Frame("SEND", headers, json.dumps(body).encode()))

    def answers(self, deadline: float) -> Iterator[dict[str, Any]]:
        """Give answers as they come, until the deadline on time.monotonic()'s clock."""
        for frame in self._frames(deadline):
            if frame.command == "ERROR":
                raise Lost(frame.headers.get("message", "ERROR"))
            if frame.command == "MESSAGE":
                yield json.loads(frame.body)

    def cut(self) -> None:
        """End it from another thread, without a word: what reads it learns that now."""
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            socket.socket.shutdown(self._socket, socket.SHUT_RDWR)
        except OSError:
            return  # it has ended already

    def close(self) -> None:
        self._socket.close()

    def _write(self, frame: Frame) -> None:
        try:
            self._socket.settimeout(60)
            self._socket.sendall(frame.encode())
        except OSError as error:
            raise Lost(_why(error)) from None

    def _frames(self, deadline: float) -> Iterator[Frame]:
        while True:
            while self._ready:
                yield self._ready.popleft()
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                return
            try:
                self._socket.settimeout(remaining)
                data = self._socket.recv(65536)
            except TimeoutError:
                return
            except OSError as error:
                raise Lost(_why(error)) from None
            if not data:
                raise Lost("closed")
            try:
                self._ready.extend(self._parser.feed(data))
            except FrameError as error:
                raise Lost(f"no STOMP: {error}") from None


def _why(error: OSError) -> str:
    if isinstance(error, TimeoutError):
        return "timed out"
    if isinstance(error, ssl.SSLError):
        return error.reason or "TLS"
    return os.strerror(error.errno) if error.errno else str(error)
