# SPDX-License-Identifier: GPL-2.0-or-later
"""Calls of vdsm's API from Python, one after the other over one connection."""

from __future__ import annotations

import itertools
import time
import uuid
from types import TracebackType
from typing import Self, cast

import msgspec

from vdsm.client.transport import ConnectError, Endpoint, Transport
from vdsm.jsonrpc.errors import JSON
from vdsm.jsonrpc.stomp import Frame

REQUEST_QUEUE = "jms.topic.vdsm_requests"
TIMEOUT_S = 60.0
_FLOW_ID = "ovirtCorrelationId"


class CallError(Exception):
    """vdsm answered a call with an error."""

    def __init__(self, method: str, code: int, message: str, data: JSON = None) -> None:
        self.method = method
        self.code = code
        self.message = message
        self.data = data
        super().__init__(f"{method} failed: (code={code}, message={message})")


class Client:
    """A connection to vdsm. Connects with the first call; not safe to share between threads.

    A call is sent once and never again: when the connection is lost before the answer came, its
    outcome is unknown and the caller gets ConnectError. The next call connects anew, and so does
    one that finds the connection closed before it is sent.
    """

    def __init__(
        self, endpoint: Endpoint, *, timeout: float = TIMEOUT_S, flow_id: str = ""
    ) -> None:
        self._endpoint = endpoint
        self._timeout = timeout
        self._flow_id = flow_id
        self._queue = f"vdsm_client.{uuid.uuid4()}"
        self._ids = itertools.count(1)
        self._transport: Transport | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()
            self._transport = None

    def call(
        self, method: str, *, timeout: float | None = None, flow_id: str = "", **params: JSON
    ) -> JSON:
        """Calls `method`, for example "Host.echo", and returns its result.

        `timeout` is in seconds. Raises CallError, ConnectError, TimeoutError.
        """
        return self.call_with(method, params, timeout=timeout, flow_id=flow_id)

    def call_with(
        self,
        method: str,
        params: dict[str, JSON] | list[JSON],
        *,
        timeout: float | None = None,
        flow_id: str = "",
    ) -> JSON:
        """As `call`, for parameters that are a mapping already, or a list."""
        deadline = time.monotonic() + (self._timeout if timeout is None else timeout)
        identity = next(self._ids)
        request = {"jsonrpc": "2.0", "method": method, "params": params, "id": identity}
        headers = {
            "destination": REQUEST_QUEUE,
            "reply-to": self._queue,
            "content-type": "application/json",
        }
        if flow_id or self._flow_id:
            headers[_FLOW_ID] = flow_id or self._flow_id
        try:
            transport = self._connected(deadline)
            transport.send(Frame("SEND", headers, msgspec.json.encode(request)))
            answer = _answer(transport, identity, deadline)
        except (ConnectError, TimeoutError):
            self.close()  # a late answer must not meet the next call
            raise
        return _result(method, answer)

    def _connected(self, deadline: float) -> Transport:
        if self._transport is not None and self._transport.ended():
            self.close()
        if self._transport is None:
            remaining = max(deadline - time.monotonic(), 0.001)
            self._transport = Transport(self._endpoint, remaining)
            headers = {"id": "1", "destination": self._queue, "ack": "auto"}
            self._transport.send(Frame("SUBSCRIBE", headers))
        return self._transport


def _answer(transport: Transport, identity: int, deadline: float) -> dict[str, JSON]:
    while True:
        frame = transport.receive(deadline)
        if frame.command != "MESSAGE":
            continue
        body: JSON = msgspec.json.decode(frame.body)
        if isinstance(body, dict) and body.get("id") == identity:
            return body


def _result(method: str, answer: dict[str, JSON]) -> JSON:
    error = answer.get("error")
    if isinstance(error, dict):
        code, message = error.get("code"), str(error.get("message"))
        raise CallError(method, cast(int, code), message, error.get("data"))
    return answer.get("result")
