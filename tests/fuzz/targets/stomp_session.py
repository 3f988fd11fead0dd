# SPDX-License-Identifier: GPL-2.0-or-later
"""A whole connection of a client: frames, session, JSON-RPC, the check by the API's schema.

The first byte says how the stream is cut (0: not at all), the second which calls are answered
late. Oracle: all that is sent is frames that a client can read, with no header that nobody wrote;
nothing follows an ERROR; each call is answered once at most, to a subscription of this client, and
only after CONNECT; a second client gets only what was sent to its destination; nothing is left
when the connection is gone; what is sent does not depend on the pieces.
"""

from collections.abc import Callable, Iterable, Mapping

import msgspec

from fuzz.target import require
from fuzz.targets._split import pieces
from vdsm.jsonrpc import schema
from vdsm.jsonrpc.broker import Broker, Subscription
from vdsm.jsonrpc.errors import Code, VdsmError
from vdsm.jsonrpc.limits import FrameLimits, Limits
from vdsm.jsonrpc.registry import Address
from vdsm.jsonrpc.rpc import Origin, Outcome, Request, Rpc
from vdsm.jsonrpc.session import Session
from vdsm.jsonrpc.stomp import CLIENT_COMMANDS, SERVER_COMMANDS, Frame, FrameError, Parser

MOST = 1024
PREFIX = 2
LIMITS = Limits(
    frame=FrameLimits(headers=8, header_bytes=512, body_bytes=600), subscriptions=3, batch=4
)
_ANSWER_LIMITS = FrameLimits(headers=64, header_bytes=1 << 16, body_bytes=1 << 20)
_SCHEMA = schema.load()


class Link:
    """Takes what is sent; counts what was asked of the connection."""

    client = Address("192.0.2.1", 50000)
    local = Address("192.0.2.2", 54321)

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.finished = 0

    def send(self, data: bytes) -> None:
        require(not self.finished, "something was sent after the end")
        self.sent.append(data)

    def set_heart_beat(self, send_ms: int, expect_ms: int) -> None:
        for time in (send_ms, expect_ms):
            require(time == 0 or time >= LIMITS.heartbeat_min_ms, "a heart-beat that is too fast")

    def finish(self) -> None:
        self.finished += 1


class Caller:
    """The dispatcher without threads: the schema's check, and a result that echoes."""

    def __init__(self, late: int) -> None:
        self._late = late
        self.calls = 0
        self.waiting: list[Callable[[], None]] = []

    def call(self, request: Request, origin: Origin, done: Callable[[Outcome], None]) -> None:
        require(origin.flow_id.isprintable() or not origin.flow_id, "a flow id for no log")
        outcome: Outcome
        if request.method not in _SCHEMA.verbs:
            outcome = VdsmError(Code.METHOD_NOT_FOUND)
        else:
            try:
                outcome = msgspec.json.encode(_SCHEMA.check(request.method, request.params))
            except VdsmError as error:
                require(error.code == Code.INVALID_PARAMS, "another error of the schema")
                outcome = error
        late = self._late >> (self.calls & 7) & 1
        self.calls += 1
        if late:
            self.waiting.append(lambda: done(outcome))
        else:
            done(outcome)


def run(data: bytes) -> None:
    stream, pattern, late = data[2:], *data[:2].ljust(2, b"\0")
    whole = conversation([stream], late)
    if pattern:
        cut = conversation(pieces(stream, pattern), late)
        require(whole == cut, "another conversation in other pieces: {} {}", whole, cut)


def conversation(parts: Iterable[bytes], late: int) -> tuple[bytes, list[Frame]]:
    broker = Broker()
    overheard: list[Frame] = []
    broker.add(Subscription("other", "jms.other", overheard.append))
    link, caller = Link(), Caller(late)
    session = Session(link, broker=broker, rpc=Rpc(caller), limits=LIMITS, name="vdsm/1")
    session._id = "0011223344556677"
    parser = Parser(CLIENT_COMMANDS, LIMITS.frame)
    try:
        for part in parts:
            for frame in parser.feed(part):
                if link.finished:
                    break
                session.received(frame)
            if link.finished:
                break
    except FrameError as error:
        session.fail(str(error))
    for answer in reversed(caller.waiting):
        answer()
    require(link.finished <= 1, "ended twice")
    require(not caller.calls or session.connected, "a call before CONNECT")
    session.closed()
    require(list(broker._table) == ["jms.other"], "subscriptions of a client that is gone")
    sent = b"".join(link.sent)
    check(sent, caller.calls)
    for frame in overheard:
        require(frame.headers["destination"].startswith("jms.other"), "overheard what is not its")
    return sent, overheard


def check(sent: bytes, calls: int) -> None:
    parser = Parser(SERVER_COMMANDS, _ANSWER_LIMITS)
    frames = list(parser.feed(sent))
    require(not parser.partial, "the last frame does not end")
    commands = [frame.command for frame in frames]
    require("ERROR" not in commands[:-1], "something follows an ERROR")
    require(commands.count("CONNECTED") <= 1, "connected twice")
    for frame in frames:
        if frame.command == "MESSAGE":
            require(
                {"subscription", "message-id", "destination"} <= frame.headers.keys(), "headers"
            )
        else:
            known = {
                *("version", "heart-beat", "session", "server", "receipt-id", "message"),
                *("content-type", "content-length"),
            }
            require(frame.headers.keys() <= known, "a header from nowhere: {}", frame.headers)


def seeds() -> Mapping[str, bytes]:
    connect = Frame("CONNECT", {"accept-version": "1.2", "heart-beat": "500,5000"}).encode()
    subscribe = Frame("SUBSCRIBE", {"id": "s", "destination": "jms.queue.r"}).encode()

    def send(body: bytes, **more: str) -> bytes:
        headers = {"destination": "jms.topic.vdsm_requests", "reply-to": "jms.queue.r", **more}
        return Frame("SEND", headers, body).encode()

    ping = send(b'{"jsonrpc":"2.0","method":"Host.ping2","params":{},"id":"1"}', receipt="r")
    stats = send(
        b'{"jsonrpc":"2.0","method":"Volume.getInfo","params":{"volumeID":"x"},"id":2}',
        ovirtCorrelationId="abc\n",
    )
    batch = send(b'[{"jsonrpc":"2.0","method":"Host.ping2","id":1},{"id":2},3]')
    other = send(b"hello", destination="jms.other.x", evil="a:b\nc")
    unsubscribe = Frame("UNSUBSCRIBE", {"id": "s"}).encode()
    disconnect = Frame("DISCONNECT", {"receipt": "bye"}).encode()
    return {
        "calls": b"\0\0" + connect + subscribe + ping + stats + disconnect,
        "late": b"\x24\xff" + connect + b"\n" + subscribe + batch + ping + unsubscribe,
        "early": b"\x11\0" + ping,
        "other": b"\x42\1" + connect + other + subscribe + other,
        "twice": b"\0\0" + connect + subscribe + subscribe,
        "nobody": b"\0\0" + connect + ping,
        "ack": b"\0\0" + connect + b"ACK\nid:1\n\n\0",
    }
