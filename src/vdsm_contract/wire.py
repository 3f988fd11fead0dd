# SPDX-License-Identifier: GPL-2.0-or-later
"""The wire: varlink messages on a stream socket, each a JSON object ended by a NUL byte.

Source: varlink.org, "Method Call". A `Channel` knows bytes, sizes and deadlines; what the messages
mean is known to the proxy and to the server.
"""

import math
import select
import socket
import time
from typing import Final

import msgspec

from vdsm_contract.limits import MAX_MESSAGE, MESSAGE_DEADLINE

_CHUNK: Final = 64 * 1024


class Request(msgspec.Struct):
    """A method call, as it is read. The parameters are decoded once the method is known."""

    method: str
    parameters: msgspec.Raw = msgspec.Raw(b"{}")
    oneway: bool = False
    more: bool = False
    upgrade: bool = False


class Response(msgspec.Struct):
    """An answer, as it is read: an error when `error` is set."""

    parameters: msgspec.Raw = msgspec.Raw(b"{}")
    error: str = ""
    continues: bool = False


class OutgoingRequest(msgspec.Struct):
    """A method call, as it is written."""

    method: str
    parameters: msgspec.Struct


class OutgoingResponse(msgspec.Struct):
    """A good answer, as it is written."""

    parameters: msgspec.Struct


class OutgoingError(msgspec.Struct):
    """An error, as it is written. `parameters` is an error of the contract (a dataclass)."""

    error: str
    parameters: object


class StreamClosed(Exception):
    """The peer closed the stream. `partial` says whether it did so inside of a message."""

    def __init__(self, *, partial: bool) -> None:
        super().__init__("closed inside a message" if partial else "closed")
        self.partial = partial


class MessageTooLarge(Exception):
    """The peer sent more than MAX_MESSAGE bytes without ending the message."""


class MessageTooSlow(Exception):
    """A message that had begun did not end within MESSAGE_DEADLINE."""


_encoder: Final = msgspec.json.Encoder()


def encode(message: msgspec.Struct) -> bytes:
    """Return `message` as it goes over the wire, with its NUL. Raises MessageTooLarge."""
    data = _encoder.encode(message)
    if len(data) > MAX_MESSAGE:
        raise MessageTooLarge
    return data + b"\0"


class Channel:
    """One end of a varlink connection: whole messages in, whole messages out.

    The socket is blocking; poll(2) waits for it where there is a time limit and something to wait
    for, so that the common case of sending, and of receiving without a limit, is one system call.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._buffer = b""
        sock.settimeout(None)

    def fileno(self) -> int:
        """Return the socket's descriptor; -1 when it is closed."""
        return self._sock.fileno()

    @property
    def pending(self) -> bool:
        """Whether bytes behind the last message have arrived already."""
        return bool(self._buffer)

    def send(self, data: bytes) -> None:
        """Send all of `data`. Raises MessageTooSlow when the peer does not read, and OSError.

        When this raises, the last byte (the NUL) was not delivered, so the peer cannot have seen a
        whole message.
        """
        view = memoryview(data)
        view = view[self._send_some(view) :]
        end = time.monotonic() + MESSAGE_DEADLINE
        while view:
            if not self._wait(select.POLLOUT, end - time.monotonic()):
                raise MessageTooSlow
            view = view[self._send_some(view) :]

    def send_now(self, data: bytes) -> bool:
        """Send `data` if that is possible without waiting; return whether all of it was sent."""
        try:
            return self._sock.send(data, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL) == len(data)
        except OSError:
            return False

    def receive(self, timeout: float | None = None) -> bytes:
        """Return the next message without its NUL.

        `timeout` is how many seconds may pass before its first byte; from there on it has
        MESSAGE_DEADLINE. Raises TimeoutError when nothing came, StreamClosed, MessageTooLarge,
        MessageTooSlow, and OSError.
        """
        if not self._buffer:
            if timeout is not None and not self._wait(select.POLLIN, timeout):
                raise TimeoutError
            self._buffer = self._sock.recv(_CHUNK)
            if not self._buffer:
                raise StreamClosed(partial=False)
        head, nul, rest = self._buffer.partition(b"\0")
        if not nul:
            head, rest = self._receive_rest(head)
        self._buffer = rest
        return head

    def shutdown_reading(self) -> None:
        """Take no more from the peer, whose next send fails; what has arrived can still be read."""
        self._shutdown(socket.SHUT_RD)

    def shutdown(self) -> None:
        """End the connection in both directions, also for a thread that waits in it."""
        self._shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the socket."""
        self._sock.close()

    def _receive_rest(self, head: bytes) -> tuple[bytes, bytes]:
        parts = [head]
        size = len(head)
        end = time.monotonic() + MESSAGE_DEADLINE
        while True:
            if size > MAX_MESSAGE:
                raise MessageTooLarge
            if not self._wait(select.POLLIN, end - time.monotonic()):
                raise MessageTooSlow
            chunk = self._sock.recv(_CHUNK)
            if not chunk:
                raise StreamClosed(partial=True)
            last, nul, rest = chunk.partition(b"\0")
            parts.append(last)
            size += len(last)
            if nul:
                if size > MAX_MESSAGE:
                    raise MessageTooLarge
                return b"".join(parts), rest

    def _send_some(self, data: memoryview) -> int:
        try:
            return self._sock.send(data, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
        except BlockingIOError:
            return 0

    def _wait(self, events: int, seconds: float) -> bool:
        """Wait for the peer; return whether it did its part while any of the time was left."""
        poll = select.poll()
        poll.register(self._sock, events)
        return seconds > 0 and bool(poll.poll(math.ceil(seconds * 1000)))

    def _shutdown(self, how: int) -> None:
        try:
            self._sock.shutdown(how)
        except OSError:
            return  # the peer or our own session has ended it already
