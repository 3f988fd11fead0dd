# SPDX-License-Identifier: GPL-2.0-or-later
"""A STOMP client that may say anything: raw bytes out, parsed frames in."""

import json
import socket
import ssl
import time
from types import TracebackType
from typing import Any, Self

from vdsm.jsonrpc.limits import MIB, FrameLimits
from vdsm.jsonrpc.stomp import SERVER_COMMANDS, Frame, Parser

REQUESTS = "jms.topic.vdsm_requests"
REPLIES = "jms.topic.vdsm_responses"


class Wire:
    """One connection. `recv` and its friends fail the test when nothing comes in time."""

    def __init__(
        self,
        port: int,
        context: ssl.SSLContext | None = None,
        receive_buffer: int = 0,
        host: str = "127.0.0.1",
    ) -> None:
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        if receive_buffer:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.sock.settimeout(10)
        self.sock.connect((host, port))
        if context is not None:
            self.sock = context.wrap_socket(self.sock, server_hostname="127.0.0.1")
        self._parser = Parser(SERVER_COMMANDS, FrameLimits(body_bytes=64 * MIB))
        self._frames: list[Frame] = []
        self.heard = 0  # bytes, heart-beats among them

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.sock.close()

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def frame(self, command: str, body: bytes = b"", /, **headers: str) -> None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.send(Frame(command, named, body).encode())

    def connect(self, **headers: str) -> Frame:
        self.frame("CONNECT", b"", **{"accept_version": "1.2", "host": "vdsm", **headers})
        return self.recv("CONNECTED")

    def ready(self) -> Self:
        """CONNECT and SUBSCRIBE, as an engine does."""
        self.connect()
        self.frame("SUBSCRIBE", id="1", destination=REPLIES, ack="auto")
        return self

    def request(self, body: object, **headers: str) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.frame("SEND", data, **{"destination": REQUESTS, "reply_to": REPLIES, **headers})

    def call(self, method: str, params: object = None, **headers: str) -> Any:
        self.request({"jsonrpc": "2.0", "method": method, "params": params, "id": 1}, **headers)
        return self.answer()

    def recv(self, command: str = "", timeout: float = 10) -> Frame:
        """The next frame, which must be of this command."""
        end = time.monotonic() + timeout
        while not self._frames:
            self.sock.settimeout(max(end - time.monotonic(), 0.001))
            data = self.sock.recv(65536)
            if not data:
                raise EOFError("the server closed the connection")
            self.heard += len(data)
            self._frames += self._parser.feed(data)
        frame = self._frames.pop(0)
        if command and frame.command != command:
            raise AssertionError(f"expected {command}, got {frame}")
        return frame

    def answer(self, timeout: float = 10) -> Any:
        """The JSON of the next MESSAGE."""
        return json.loads(self.recv("MESSAGE", timeout).body)

    def ends(self, timeout: float = 10) -> bool:
        """Whether the server closes the connection in time; what comes before is dropped."""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            self.sock.settimeout(max(end - time.monotonic(), 0.001))
            try:
                data = self.sock.recv(65536)
            except TimeoutError:
                return False
            except OSError:
                return True
            if not data:
                return True
            self.heard += len(data)
        return False
