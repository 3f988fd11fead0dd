# SPDX-License-Identifier: GPL-2.0-or-later
"""Varlink messages: NUL framing by the real `Channel`, and the decoding of requests and answers.

The first byte says how the stream is cut. Oracle: the same messages and the same end whatever the
pieces; no message above the limit; a request that is understood means the same once it was written
again.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import cast

import msgspec

from fuzz.target import require
from fuzz.targets._split import pieces
from vdsm_contract import wire
from vdsm_contract.wire import (
    Channel,
    MessageTooLarge,
    OutgoingError,
    OutgoingRequest,
    OutgoingResponse,
    Request,
    Response,
    StreamClosed,
    encode,
)

MOST = 1024
PREFIX = 1
LIMIT, CHUNK = 256, 64
"""In the place of 8 MiB and 64 KiB, so that short inputs reach them."""

_REFUSED = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class Feed:
    """The little of a socket that reading needs."""

    def __init__(self, parts: list[bytes]) -> None:
        self._parts = parts[::-1]

    def settimeout(self, seconds: float | None) -> None: ...

    def setsockopt(self, level: int, option: int, value: bytes) -> None: ...

    def send(self, data: bytes, flags: int = 0) -> int:
        return len(data)

    def recv(self, size: int, flags: int = 0) -> bytes:
        if not self._parts:
            return b""
        part = self._parts.pop()
        if part[size:]:
            self._parts.append(part[size:])
        return part[:size]


class Fed(Channel):
    """A channel over a Feed, whose peer never lets wait."""

    def _wait(self, events: int, seconds: float) -> bool:
        return True


def run(data: bytes) -> None:
    stream = data[1:]
    with small_limits():
        whole = received([stream] if stream else [])
        cut = received(list(pieces(stream, data[0] if data else 0)))
        require(whole == cut, "other messages in other pieces: {} {}", whole, cut)
        messages, _end = whole
        for message in messages:
            require(len(message) <= LIMIT, "a message above the limit")
            check(message)


@contextmanager
def small_limits() -> Iterator[None]:
    """Let a message have LIMIT bytes at most, until the block ends."""
    before = wire.MAX_MESSAGE, wire._CHUNK
    setattr(wire, "MAX_MESSAGE", LIMIT)  # noqa: B010 - mypy knows that it is final
    setattr(wire, "_CHUNK", CHUNK)  # noqa: B010
    try:
        yield
    finally:
        setattr(wire, "MAX_MESSAGE", before[0])  # noqa: B010
        setattr(wire, "_CHUNK", before[1])  # noqa: B010


def received(parts: list[bytes]) -> tuple[list[bytes], str]:
    """The messages of a stream, and how it ended."""
    channel = Fed(cast("wire.socket.socket", Feed(parts)))
    messages: list[bytes] = []
    while True:
        try:
            messages.append(channel.receive(1))
        except StreamClosed as closed:
            return messages, str(closed)
        except MessageTooLarge:
            return messages, "too large"


def check(message: bytes) -> None:
    try:
        request = msgspec.json.decode(message, type=Request)
    except _REFUSED:
        pass
    else:
        again = msgspec.json.decode(msgspec.json.encode(request), type=Request)
        require(again == request, "a request changed by writing it")
    try:
        response = msgspec.json.decode(message, type=Response)
    except _REFUSED:
        return
    again2 = msgspec.json.decode(msgspec.json.encode(response), type=Response)
    require(again2 == response, "an answer changed by writing it")


class _Ping(msgspec.Struct):
    flow_id: str = "f"


def seeds() -> Mapping[str, bytes]:
    ping = encode(OutgoingRequest("org.ovirt.supervdsm.service.Ping", _Ping()))
    answer = encode(OutgoingResponse(_Ping()))
    error = encode(OutgoingError("org.varlink.service.MethodNotFound", {"method": "x"}))
    oneway = b'{"method":"a.B","oneway":true,"more":false,"parameters":{"a":[1,2.5,null]}}\0'
    return {
        "ping": b"\x00" + ping,
        "several": b"\x52" + ping + answer + error + oneway,
        "partial": b"\x11" + ping + ping[:20],
        "large": b"\x77" + b"[" * (LIMIT + 1) + b"\0",
        "limit": b"\xff" + b" " * LIMIT + b"\0" + ping,
        "empty": b"\x01\0\0\0",
    }
