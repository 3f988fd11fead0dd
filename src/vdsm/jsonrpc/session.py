# SPDX-License-Identifier: GPL-2.0-or-later
"""What a STOMP client says and is told: CONNECT, subscriptions, requests, receipts, errors.

No sockets and no clocks here: frames come in through `received`, bytes leave through the `Link`.
"""

from __future__ import annotations

import itertools
import logging
import secrets
from collections.abc import Callable
from functools import partial
from typing import Protocol

from vdsm.jsonrpc.broker import Broker, Subscription
from vdsm.jsonrpc.limits import Limits
from vdsm.jsonrpc.registry import Address
from vdsm.jsonrpc.rpc import Origin, Quota, Rpc, parse
from vdsm.jsonrpc.stomp import Frame, FrameError, heart_beat

log = logging.getLogger(__name__)

VERSION = "1.2"
REQUEST_QUEUES = ("jms.topic.vdsm_requests", "jms.topic.vdsm_irs_requests")
FLOW_ID = "ovirtCorrelationId"
_FLOW_ID_LENGTH = 128
_DESTINATION_LENGTH = 255  # its parents are looked up, too, and each dot makes one more
# Headers of a SEND that belong to that frame alone and do not travel with a forwarded message.
_OWN_HEADERS = frozenset({"content-length", "receipt", "destination", "subscription", "message-id"})


class Link(Protocol):
    """The connection, as its session sees it."""

    client: Address
    local: Address

    def send(self, data: bytes) -> None:
        """Sends bytes now or when the client reads again; does nothing once it is closed."""

    def set_heart_beat(self, send_ms: int, expect_ms: int) -> None:
        """Promises to send, and demands to hear, something at least so often; 0 means never."""

    def finish(self) -> None:
        """Takes no more frames and closes when everything is sent."""


class Session:
    """The STOMP state of one connection."""

    def __init__(self, link: Link, *, broker: Broker, rpc: Rpc, limits: Limits, name: str) -> None:
        self._link = link
        self._broker = broker
        self._rpc = rpc
        self._limits = limits
        self._server = name
        self._id = secrets.token_hex(8)
        self._message_ids = itertools.count(1)
        self._subscriptions: dict[str, Subscription] = {}
        self._quota = Quota(limits.pending)
        self._over = False
        self.connected = False
        self._commands: dict[str, Callable[[Frame], None]] = {
            "CONNECT": self._connect,
            "STOMP": self._connect,
            "SEND": self._send,
            "SUBSCRIBE": self._subscribe,
            "UNSUBSCRIBE": self._unsubscribe,
            "DISCONNECT": self._disconnect,
        }

    def received(self, frame: Frame) -> None:
        """Handles one frame of the client; a wrong one ends the session with an ERROR frame."""
        if self._over:
            return
        try:
            if not self.connected and frame.command not in ("CONNECT", "STOMP"):
                raise FrameError("the first frame must be CONNECT")
            command = self._commands.get(frame.command)
            if command is None:
                raise FrameError(f"{frame.command} is not supported")
            command(frame)
        except FrameError as error:
            self.fail(str(error), receipt=frame.headers.get("receipt"))

    def fail(self, message: str, *, receipt: str | None = None) -> None:
        """Tells the client what it did wrong and ends the session, as STOMP demands."""
        if self._over:
            return
        log.warning("%s: %s; closing the connection", self._link.client, message)
        headers = {"message": message, "content-type": "text/plain", "version": VERSION}
        if receipt is not None:
            headers["receipt-id"] = receipt
        self._link.send(Frame("ERROR", headers, message.encode()).encode())
        self._end()

    def closed(self) -> None:
        """The connection is gone: forgets its subscriptions. Answers still to come are dropped."""
        self._over = True
        for subscription in self._subscriptions.values():
            self._broker.remove(subscription)
        self._subscriptions.clear()

    def _end(self) -> None:
        self.closed()
        self._link.finish()

    # --- frames ---------------------------------------------------------------------------

    def _connect(self, frame: Frame) -> None:
        if self.connected:
            raise FrameError("CONNECT was sent before")
        versions = frame.headers.get("accept-version", "1.0").split(",")
        if VERSION not in [version.strip() for version in versions]:
            raise FrameError(f"only STOMP {VERSION} is spoken here")
        client_sends, client_wants = heart_beat(frame.headers.get("heart-beat"))
        least = self._limits.heartbeat_min_ms
        send_ms = max(client_wants, least) if client_wants else 0
        expect_ms = max(client_sends, least) if client_sends else 0
        self.connected = True
        self._link.set_heart_beat(send_ms, expect_ms)
        reply = {
            "version": VERSION,
            "heart-beat": f"{send_ms},{expect_ms}",
            "session": self._id,
            "server": self._server,
        }
        self._link.send(Frame("CONNECTED", reply).encode())
        self._receipt(frame)

    def _subscribe(self, frame: Frame) -> None:
        identity, destination = _header(frame, "id"), _destination(frame)
        if frame.headers.get("ack", "auto") != "auto":
            raise FrameError("only ack:auto is supported")
        if identity in self._subscriptions:
            raise FrameError("this subscription id is in use")
        if len(self._subscriptions) >= self._limits.subscriptions:
            raise FrameError(f"more than {self._limits.subscriptions} subscriptions")
        subscription = Subscription(identity, destination, self._deliver)
        self._subscriptions[identity] = subscription
        self._broker.add(subscription)
        self._receipt(frame)

    def _unsubscribe(self, frame: Frame) -> None:
        # Upstream ignores an id that it does not know, and so do its clients expect.
        subscription = self._subscriptions.pop(_header(frame, "id"), None)
        if subscription is not None:
            self._broker.remove(subscription)
        self._receipt(frame)

    def _disconnect(self, frame: Frame) -> None:
        self._receipt(frame)
        self._end()

    def _send(self, frame: Frame) -> None:
        destination = _destination(frame)
        if "transaction" in frame.headers:
            raise FrameError("transactions are not supported")
        if any(destination == q or destination.startswith(q + ".") for q in REQUEST_QUEUES):
            self._request(frame)
        else:
            self._forward(destination, frame)
        self._receipt(frame)

    def _request(self, frame: Frame) -> None:
        """Hands a JSON-RPC message on; its answer will find its way by `reply-to`."""
        reply_to = frame.headers.get("reply-to")
        message = parse(frame.body, self._limits.batch)
        # Checked before the call is made: no call may have an effect that cannot be reported.
        if message.answered and self._route(reply_to) is None:
            raise FrameError(
                "no subscription for the answer: subscribe to the destination that reply-to names"
            )
        flow_id = _printable(frame.headers.get(FLOW_ID, ""))
        origin = Origin(flow_id, self._link.client, self._link.local, self._quota)
        self._rpc.handle(message, origin, partial(self._answer, reply_to))

    def _forward(self, destination: str, frame: Frame) -> None:
        """Passes a message of one client on to others, as a plain broker does."""
        headers = {k: v for k, v in frame.headers.items() if k not in _OWN_HEADERS}
        if not self._broker.publish(destination, headers, frame.body):
            raise FrameError("nobody is subscribed to this destination")

    # --- to the client ----------------------------------------------------------------------

    def _route(self, reply_to: str | None) -> Subscription | None:
        """The subscription of this connection, and of no other, that an answer belongs to."""
        mine = self._subscriptions.values()
        if reply_to is None:
            return next(iter(mine)) if len(mine) == 1 else None
        fitting = [s for s in mine if s.covers(reply_to)]
        return max(fitting, key=lambda s: len(s.destination), default=None)

    def _answer(self, reply_to: str | None, body: bytes) -> None:
        """Sends a JSON-RPC answer; called on the loop's thread, any time after the request."""
        subscription = None if self._over else self._route(reply_to)
        if subscription is None:
            log.info("%s left before its answer was ready", self._link.client)
            return
        headers = {
            "subscription": subscription.id,
            "destination": reply_to if reply_to is not None else subscription.destination,
            "content-type": "application/json",
        }
        self._deliver(Frame("MESSAGE", headers, body))

    def _deliver(self, frame: Frame) -> None:
        identity = f"{self._id}-{next(self._message_ids)}"
        frame = Frame(frame.command, {**frame.headers, "message-id": identity}, frame.body)
        self._link.send(frame.encode())

    def _receipt(self, frame: Frame) -> None:
        receipt = frame.headers.get("receipt")
        if receipt is not None and not self._over:
            self._link.send(Frame("RECEIPT", {"receipt-id": receipt}).encode())


def _header(frame: Frame, name: str) -> str:
    value = frame.headers.get(name)
    if not value:
        raise FrameError(f"{frame.command} lacks the header {name}")
    return value


def _destination(frame: Frame) -> str:
    value = _header(frame, "destination")
    if len(value) > _DESTINATION_LENGTH:
        raise FrameError(f"the destination is longer than {_DESTINATION_LENGTH} characters")
    return value


def _printable(text: str) -> str:
    """Text of a client as it may stand in a log line."""
    return "".join(c if c.isprintable() else "?" for c in text[:_FLOW_ID_LENGTH])
