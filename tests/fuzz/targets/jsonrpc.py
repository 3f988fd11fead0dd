# SPDX-License-Identifier: GPL-2.0-or-later
"""JSON-RPC messages: taken apart, run by a stand-in for the verbs, answered.

Oracle: nothing is raised; each message is answered once or never, with JSON, with as many
responses as it has calls that want one, in their order, each with the id of its call.
"""

import logging
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from fuzz.target import require
from vdsm.jsonrpc.errors import Code, VdsmError
from vdsm.jsonrpc.registry import Address
from vdsm.jsonrpc.rpc import Message, Origin, Outcome, Quota, Rejected, Request, Rpc, parse

IS_JSON = True
BATCH = 6
ORIGIN = Origin("flow", Address("192.0.2.1", 1), Address("192.0.2.2", 2), Quota(64))

log = logging.getLogger("vdsm.jsonrpc.rpc")


class Caller:
    """Answers each call at once, or when all calls of the message were made, last first."""

    def __init__(self) -> None:
        self.called: list[Request] = []
        self.waiting: list[Callable[[], None]] = []

    def call(self, request: Request, origin: Origin, done: Callable[[Outcome], None]) -> None:
        self.called.append(request)
        outcome: Outcome = msgspec.json.encode(request.params)
        if len(request.method) % 3 == 0:
            outcome = VdsmError(Code.GENERAL_EXCEPTION, request.method[:100])
        if len(request.method) % 2:
            done(outcome)
        else:
            self.waiting.append(lambda: done(outcome))


def run(data: bytes) -> None:
    message = parse(data, BATCH)
    require(0 < len(message.entries) <= BATCH, "no entries, or too many")
    require(message.batch or len(message.entries) == 1, "several entries of one call")
    caller = Caller()
    replies: list[bytes] = []
    Rpc(caller).handle(message, ORIGIN, replies.append)
    for answer in reversed(caller.waiting):
        answer()
    requests = [entry for entry in message.entries if isinstance(entry, Request)]
    require(caller.called == requests, "other calls than were asked for")
    require(len(replies) == int(message.answered), "not answered once")
    for reply in replies:
        check(message, reply)


def check(message: Message, reply: bytes) -> None:
    answer = msgspec.json.decode(reply)
    require(isinstance(answer, list) == message.batch, "a batch is answered by an array")
    responses: list[Any] = answer if message.batch else [answer]
    due = [e for e in message.entries if isinstance(e, Rejected) or not e.notification]
    require(len(responses) == len(due), "as many responses as calls")
    for entry, response in zip(due, responses, strict=True):
        require(response["jsonrpc"] == "2.0", "the version")
        require(response["id"] == entry.id, "id {!r} is answered as {!r}", entry.id, response["id"])
        require(("error" in response) != ("result" in response), "a result or an error")
        if isinstance(entry, Rejected):
            error = response["error"]
            require(error["code"] == entry.error.code, "the code of the error")
            require(len(error["message"]) < 300, "an error that repeats the input")


def seeds() -> Mapping[str, bytes]:
    call = b'{"jsonrpc":"2.0","method":"Host.getStats","params":{},"id":"7d8b1c5e"}'
    notification = b'{"jsonrpc":"2.0","method":"Host.ping2"}'
    return {
        "call": call,
        "list": b'{"jsonrpc":"2.0","method":"Volume.getInfo","params":["a","b",3,null],"id":5}',
        "notification": notification,
        "batch": b"[" + call + b"," + notification + b',{"id":1},1,"x"]',
        "empty": b"[]",
        "broken": call[:-3],
        "deep": b"[" * 400,
        "id": b'{"jsonrpc":"2.0","method":"ab","params":{},"id":1e300}',
        "unicode": b'{"jsonrpc":"2.0","method":"\\ud83d\\udca9",'
        b'"params":{"\\u0000":"\\u2028"},"id":"\xc3\xa9"}',
    }
