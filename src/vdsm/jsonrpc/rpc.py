# SPDX-License-Identifier: GPL-2.0-or-later
"""JSON-RPC 2.0: what a message asks for, and how its answer is put together.

Source: https://www.jsonrpc.org/specification. Single calls, batches (answered as one array) and
notifications (never answered). `parse` is pure; `Rpc.handle` runs what it found.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

import msgspec

from vdsm.jsonrpc.errors import JSON, Code, VdsmError
from vdsm.jsonrpc.registry import Address, Lane

RequestId: TypeAlias = "int | float | str | None"
RawParams: TypeAlias = "dict[str, JSON] | list[JSON]"  # not checked yet
Outcome: TypeAlias = "bytes | VdsmError"  # an encoded result, or why there is none

log = logging.getLogger(__name__)

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Request:
    """One call. `params` is an object or an array; a notification has no id and no answer."""

    method: str
    params: RawParams
    id: RequestId = None
    notification: bool = False


@dataclass(frozen=True, slots=True)
class Rejected:
    """A part of a message that is not a request, and the error that answers it."""

    id: RequestId
    error: VdsmError


@dataclass(frozen=True, slots=True)
class Message:
    """All requests of one STOMP message."""

    entries: tuple[Request | Rejected, ...]
    batch: bool

    @property
    def answered(self) -> bool:
        """Whether anything at all is to be sent back."""
        return any(isinstance(e, Rejected) or not e.notification for e in self.entries)


def parse(body: bytes, batch_limit: int) -> Message:
    """Reads a JSON-RPC message. Never raises: what is wrong becomes a `Rejected` entry."""
    try:
        value: JSON = msgspec.json.decode(body)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        return _rejected(Code.PARSE_ERROR, f"The message is not JSON: {error}")
    if not isinstance(value, list):
        return Message((_request(value),), batch=False)
    if not value:
        return _rejected(Code.INVALID_REQUEST, "An empty batch asks for nothing")
    if len(value) > batch_limit:
        return _rejected(Code.INVALID_REQUEST, f"A batch has at most {batch_limit} calls")
    return Message(tuple(map(_request, value)), batch=True)


def _rejected(code: Code, message: str) -> Message:
    return Message((Rejected(None, VdsmError(code, message)),), batch=False)


def _request(value: JSON) -> Request | Rejected:
    if not isinstance(value, dict):
        return Rejected(None, VdsmError(Code.INVALID_REQUEST, "A request is an object"))
    identity = value.get("id")
    if isinstance(identity, (bool, list, dict)):
        return Rejected(None, VdsmError(Code.INVALID_REQUEST, "id is a string, a number or null"))
    if value.get("jsonrpc") != "2.0":
        return Rejected(identity, VdsmError(Code.INVALID_REQUEST, 'jsonrpc is not "2.0"'))
    method = value.get("method")
    if not isinstance(method, str) or not method:
        return Rejected(identity, VdsmError(Code.INVALID_REQUEST, "method is not a name"))
    params = value.get("params")
    if params is None:  # left out; null, which some clients send for it, means the same
        params = {}
    if not isinstance(params, (dict, list)):
        error = VdsmError(Code.INVALID_REQUEST, "params is neither an object nor an array")
        return Rejected(identity, error)
    return Request(method, params, identity, notification="id" not in value)


class Quota:
    """How many calls of one connection may be pending in each lane, so that those which hang leave
    room for those which cannot. Used on the loop's thread only."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._used: Counter[Lane] = Counter()

    def has_room(self, lane: Lane) -> bool:
        return self._used[lane] < self._limit

    def take(self, lane: Lane) -> None:
        self._used[lane] += 1

    def give_back(self, lane: Lane) -> None:
        self._used[lane] -= 1


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a message came from; the same for all its calls."""

    flow_id: str
    client: Address
    local: Address
    quota: Quota


class Caller(Protocol):
    """Runs one call and reports once, on the loop's thread, possibly before it returns."""

    def call(self, request: Request, origin: Origin, done: Callable[[Outcome], None]) -> None: ...


@dataclass(slots=True)
class _Answers:
    """Collects the answers of one message and sends them when the last one is there."""

    reply: Callable[[bytes], None]
    batch: bool
    missing: int
    parts: list[bytes | None] = field(default_factory=list)

    def expect(self) -> Callable[[RequestId, Outcome], None]:
        """Reserves the next place in the answer; the result fills it."""
        place = len(self.parts)
        self.parts.append(None)

        def fill(identity: RequestId, outcome: Outcome) -> None:
            self.parts[place] = response(identity, outcome)
            self.missing -= 1
            if not self.missing:
                self._send()

        return fill

    def _send(self) -> None:
        parts = [part for part in self.parts if part is not None]
        self.reply(b"[" + b",".join(parts) + b"]" if self.batch else parts[0])


class Rpc:
    """Answers messages by means of a `Caller`."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def handle(self, message: Message, origin: Origin, reply: Callable[[bytes], None]) -> None:
        """Starts every call of a message. `reply` is called once with the answer, or never."""
        due = [e for e in message.entries if isinstance(e, Rejected) or not e.notification]
        answers = _Answers(reply, message.batch, len(due))
        for entry in message.entries:
            if isinstance(entry, Request) and entry.notification:
                self._caller.call(entry, origin, _ignore)
                continue
            fill = answers.expect()
            if isinstance(entry, Rejected):
                log.info("%s sent what is no request: code=%d", origin.client, entry.error.code)
                fill(entry.id, entry.error)
            else:
                self._start(entry, origin, fill)

    def _start(
        self, request: Request, origin: Origin, fill: Callable[[RequestId, Outcome], None]
    ) -> None:
        self._caller.call(request, origin, lambda outcome: fill(request.id, outcome))


def response(identity: RequestId, outcome: Outcome) -> bytes:
    """One JSON-RPC response object."""
    if isinstance(outcome, VdsmError):
        member, value = b"error", _encode(outcome.to_json())
    else:
        member, value = b"result", outcome
    return b'{"jsonrpc":"2.0","id":%s,"%s":%s}' % (_encode(identity), member, value)


def _ignore(_outcome: Outcome) -> None:
    """The answer of a notification: there is none."""
