# SPDX-License-Identifier: GPL-2.0-or-later
"""What comes back from a worker of a mount: frames of msgpack.

The first byte says how the stream is cut. Oracle: the same messages whatever the pieces; refused
with DecodeError, or a message that is written and read as the same.
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from fuzz.target import require
from fuzz.targets._split import pieces
from vdsm.storage.outofprocess import frames

MOST = 512
PREFIX = 1
_DECODERS: tuple[Callable[[bytes], Any], ...] = (
    frames.decode_request,
    frames.decode_answer,
    frames.decode_failure,
    frames.decode_refusal,
    frames.decode_text,
)


def run(data: bytes) -> None:
    stream = data[1:]
    cut = list(pieces(stream, data[0] if data else 0))
    whole, other = first([stream]), first(cut)
    # One message at a time is on the way: what follows it in the same piece is none of it.
    if whole is not None and other is not None:
        require(whole.startswith(other) or other == whole, "another message in other pieces")
    for message in (whole, other):
        if message is not None:
            check(message)


def first(parts: list[bytes]) -> bytes | None:
    """The first message; None when the stream ends before it does."""
    waiting = parts[::-1]

    def receive(size: int) -> bytes:
        if not waiting:
            return b""
        part = waiting.pop()
        if part[size:]:
            waiting.append(part[size:])
        return part[:size]

    try:
        return frames.read(receive)
    except EOFError:
        return None


def check(message: bytes) -> None:
    for decode in _DECODERS:
        try:
            found = decode(message)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            continue
        if not isinstance(found, frames.Answer):
            # Floats may be NaN, which is not itself.
            again = frames.encode(decode(frames.encode(found)))
            require(again == frames.encode(found), "{} is read as something else", found)


def seeds() -> Mapping[str, bytes]:
    def framed(value: object) -> bytes:
        return frames.framed(frames.encode(value))

    answer = frames.Answer(frames.Status.DONE, msgspec.Raw(frames.encode([1, b"x", None])))
    return {
        "request": b"\x00" + framed(frames.Request("listdir", [b"/a", 3])),
        "answer": b"\x21" + framed(answer),
        "failure": b"\x12" + framed(frames.Failure(2, "No such file", b"x")),
        "refusal": b"\x03" + framed(frames.Refusal(b"..", "leads out")),
        "text": b"\x04" + framed("text"),
        "two": b"\x05" + framed("a") + framed("b"),
        "long": b"\x06\xff\xff\xff\xffx",
    }
