# SPDX-License-Identifier: GPL-2.0-or-later
"""The wire: varlink messages on a stream socket, each a JSON object ended by a NUL byte.

Source: varlink.org, "Method Call". A `Channel` knows bytes, sizes and deadlines; what the messages
mean is known to the proxy and to the server.
"""

import math
import select
import socket
import struct
import time
from typing import Final

import msgspec

from vdsm_contract.limits import MAX_MESSAGE, MESSAGE_DEADLINE

_CHUNK: Final = 64 * 1024
_TICKS: Final = 100
"""Parts of a second to which a time limit for receiving is rounded up."""
_TIMEVAL: Final = struct.Struct("@ll")
# Plain numbers: to join two IntFlags at each call takes longer than to send.
_SEND_FLAGS: Final = int(socket.MSG_DONTWAIT) | int(socket.MSG_NOSIGNAL)
_RECEIVE_FLAGS: Final = int(socket.MSG_DONTWAIT)


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


NOTHING: Final = b'{"parameters":{}}'
"""The good answer that brings nothing, without its NUL: the same bytes each time."""

_encoder: Final = msgspec.json.Encoder()


def encode(message: msgspec.Struct) -> bytes:
    """Return `message` as it goes over the wire, with its NUL. Raises MessageTooLarge."""
    data = _encoder.encode(message)
    if len(data) > MAX_MESSAGE:
        raise MessageTooLarge
    return data + b"\0"


class Channel:
    """One end of a varlink connection: whole messages in, whole messages out.

    The socket is blocking, and the kernel keeps the time limit of a receive (SO_RCVTIMEO), so that
    the common case of sending and of receiving is one system call. poll(2) waits where a message
    does not fit into the socket's buffer.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._buffer = b""
        self._ticks = 0  # of SO_RCVTIMEO; 0 is no limit
        sock.settimeout(None)
        self._send = sock.send
        self._recv = sock.recv

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
        try:
            sent = self._send(data, _SEND_FLAGS)
        except BlockingIOError:
            sent = 0
        if sent != len(data):
            self._send_rest(memoryview(data)[sent:])

    def send_now(self, data: bytes) -> bool:
        """Send `data` if that is possible without waiting; return whether all of it was sent."""
        try:
            return self._send(data, _SEND_FLAGS) == len(data)
        except OSError:
            return False

    def receive(self, timeout: float | None = None) -> bytes:
        """Return the next message without its NUL.

        `timeout` is how many seconds may pass before its first byte; from there on it has
        MESSAGE_DEADLINE. Raises TimeoutError when nothing came, StreamClosed, MessageTooLarge,
        MessageTooSlow, and OSError.
        """
        data = self._buffer
        if not data:
            # At least one: none would be no limit.
            ticks = 0 if timeout is None else max(math.ceil(timeout * _TICKS), 1)
            if ticks != self._ticks:
                self._limit(ticks)
            try:
                data = self._recv(_CHUNK)
            except BlockingIOError:
                raise TimeoutError from None
            if not data:
                raise StreamClosed(partial=False)
        end = data.find(b"\0")
        if end == len(data) - 1:
            self._buffer = b""
            return data[:-1]
        if end < 0:
            data, self._buffer = self._receive_rest(data)
            return data
        self._buffer = data[end + 1 :]
        return data[:end]

    def shutdown_reading(self) -> None:
        """Take no more from the peer, whose next send fails; what has arrived can still be read."""
        self._shutdown(socket.SHUT_RD)

    def shutdown(self) -> None:
        """End the connection in both directions, also for a thread that waits in it."""
        self._shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the socket."""
        self._sock.close()

    def _limit(self, ticks: int) -> None:
        """Let the kernel end a receive after that time; 0 is never."""
        limit = _TIMEVAL.pack(ticks // _TICKS, ticks % _TICKS * (1_000_000 // _TICKS))
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
        self._ticks = ticks

    def _receive_rest(self, head: bytes) -> tuple[bytes, bytes]:
        """Receive until a NUL; return the message that begins with `head`, and what follows it."""
        parts = [head]
        size = len(head)
        end = time.monotonic() + MESSAGE_DEADLINE
        while size <= MAX_MESSAGE:
            if time.monotonic() >= end:
                raise MessageTooSlow
            try:
                chunk = self._recv(_CHUNK, _RECEIVE_FLAGS)
            except BlockingIOError:
                if not self._wait(select.POLLIN, end - time.monotonic()):
                    raise MessageTooSlow from None
                continue
            if not chunk:
                raise StreamClosed(partial=True)
            last, nul, rest = chunk.partition(b"\0")
            parts.append(last)
            size += len(last)
            if nul and size <= MAX_MESSAGE:
                return b"".join(parts), rest
        raise MessageTooLarge

    def _send_rest(self, view: memoryview) -> None:
        end = time.monotonic() + MESSAGE_DEADLINE
        while view:
            if not self._wait(select.POLLOUT, end - time.monotonic()):
                raise MessageTooSlow
            try:
                view = view[self._send(view, _SEND_FLAGS) :]
            except BlockingIOError:
                continue

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
