# SPDX-License-Identifier: GPL-2.0-or-later
"""STOMP frames, as a client sends them.

The first byte says how the stream is cut. Oracle: the same frames, and an error or none, whatever
the pieces; no frame above a limit; a frame that was written is read as it was.
"""

from collections.abc import Iterable, Mapping

from fuzz.target import require
from fuzz.targets._split import pieces
from vdsm.jsonrpc.limits import FrameLimits
from vdsm.jsonrpc.stomp import CLIENT_COMMANDS, Frame, FrameError, Parser, heart_beat

MOST = 768
PREFIX = 1
LIMITS = FrameLimits(headers=6, header_bytes=256, body_bytes=300)


def run(data: bytes) -> None:
    stream = data[1:]
    whole = parsed([stream])
    cut = parsed(pieces(stream, data[0] if data else 0))
    require(whole == cut, "other frames in other pieces: {} {}", whole, cut)
    for frame in whole[0]:
        check(frame)


def parsed(parts: Iterable[bytes]) -> tuple[list[Frame], bool, bool]:
    """The frames of a stream, whether an error ended it, and whether it ended within a frame."""
    parser = Parser(CLIENT_COMMANDS, LIMITS)
    frames: list[Frame] = []
    try:
        for part in parts:
            for frame in parser.feed(part):
                frames.append(frame)  # noqa: PERF402 - what came before an error counts
    except FrameError as error:
        require(len(str(error)) < 200, "an error that repeats the input")
        return frames, True, False
    return frames, False, parser.partial


def check(frame: Frame) -> None:
    require(frame.command in CLIENT_COMMANDS, "an unknown command")
    require(len(frame.headers) <= LIMITS.headers, "too many headers")
    require(len(frame.body) <= LIMITS.body_bytes, "too large a body")
    try:
        times = heart_beat(frame.headers.get("heart-beat"))
        require(all(0 <= time < 10**9 for time in times), "a heart-beat out of range")
    except FrameError:
        pass
    # Its length is written anew; a frame without a body is read up to its NUL.
    headers = {k: v for k, v in frame.headers.items() if k != "content-length"}
    plain = Frame(frame.command, headers, frame.body)
    limits = FrameLimits(headers=8, header_bytes=2048, body_bytes=300)
    [again] = Parser(CLIENT_COMMANDS, limits).feed(plain.encode())
    headers = {k: v for k, v in again.headers.items() if k != "content-length"}
    require(Frame(again.command, headers, again.body) == plain, "{} is read as {}", plain, again)


def seeds() -> Mapping[str, bytes]:
    connect = Frame(
        "CONNECT", {"accept-version": "1.2", "host": "h", "heart-beat": "0,5000"}
    ).encode()
    subscribe = Frame("SUBSCRIBE", {"id": "1", "destination": "jms.queue.responses"}).encode()
    body = b'{"jsonrpc":"2.0","method":"Host.ping2","params":{},"id":"1"}'
    send = Frame(
        "SEND", {"destination": "jms.topic.vdsm_requests", "reply-to": "jms.queue.responses"}, body
    ).encode()
    unsized = b"SEND\r\ndestination:a\\cb\\n\\\\\r\n\r\nplain\0\r\n"
    return {
        "session": b"\x00" + connect + b"\n" + subscribe + send,
        "pieces": b"\x31" + connect + b"\n\r\n" + send,
        "crlf": b"\x10" + unsized + unsized,
        "unknown": b"\x02HELLO\n\n\0",
        "headers": b"\x03SEND\n" + b"a:b\n" * 9 + b"\n\0",
        "large": b"\x04SEND\ndestination:x\ncontent-length:301\n\n" + b"x" * 301 + b"\0",
        "disconnect": b"\x05DISCONNECT\nreceipt:77\n\n\0\n",
    }
