# SPDX-License-Identifier: GPL-2.0-or-later
"""What goes between vdsm and a worker: messages of msgpack behind their length, on a socket pair.

A request is `(operation, arguments)`, an answer `(status, value)`. The worker is vdsm's own code,
and still its answers are checked against the type that the operation says it returns.
"""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Callable
from enum import IntEnum
from functools import cache
from typing import Any, get_type_hints

import msgspec

_LENGTH = struct.Struct("!I")
_BUFFER = 1 << 16
MESSAGE_MAX = 1 << 30
"""bytes: far above what any operation takes or returns"""


class Status(IntEnum):
    """What became of an operation, and so what the value of its answer is."""

    DONE = 0  # what the operation returned
    OS_ERROR = 1  # Failure
    REFUSED = 2  # Refusal
    BROKEN = 3  # the text of an exception that no operation should raise


class Request(msgspec.Struct, array_like=True):
    operation: str
    arguments: list[Any]


class Answer(msgspec.Struct, array_like=True):
    status: Status
    value: msgspec.Raw


class Failure(msgspec.Struct, array_like=True):
    """An OSError; `path` as the operation was given it."""

    errno: int
    strerror: str
    path: bytes | None


class Refusal(msgspec.Struct, array_like=True):
    """A RefusedPath."""

    path: bytes
    why: str


encode = msgspec.msgpack.encode
decode_request = msgspec.msgpack.Decoder(Request).decode
decode_answer = msgspec.msgpack.Decoder(Answer).decode
decode_failure = msgspec.msgpack.Decoder(Failure).decode
decode_refusal = msgspec.msgpack.Decoder(Refusal).decode
decode_text = msgspec.msgpack.Decoder(str).decode


@cache
def result_decoder(operation: Callable[..., Any]) -> msgspec.msgpack.Decoder[Any]:
    """Reads what `operation` returns, by its annotation."""
    return msgspec.msgpack.Decoder(get_type_hints(operation)["return"])


def framed(message: bytes) -> bytes:
    """Raises OSError (EMSGSIZE) for a message that is too long."""
    if len(message) > MESSAGE_MAX:
        raise OSError(errno.EMSGSIZE, os.strerror(errno.EMSGSIZE))
    return _LENGTH.pack(len(message)) + message


def read(receive: Callable[[int], bytes]) -> bytes:
    """The next message; `receive` is as socket.recv. Raises EOFError when the other end is gone,
    and what `receive` raises."""

    def some(size: int) -> bytes:
        data = receive(size)
        if not data:
            raise EOFError
        return data

    data = some(_BUFFER)
    while len(data) < _LENGTH.size:
        data += some(_BUFFER)
    (length,) = _LENGTH.unpack_from(data)
    if length > MESSAGE_MAX:
        raise EOFError
    parts = [data[_LENGTH.size :]]
    left = length - len(parts[0])
    while left > 0:
        parts.append(some(left))
        left -= len(parts[-1])
    return parts[0] if len(parts) == 1 else b"".join(parts)
