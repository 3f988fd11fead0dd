# SPDX-License-Identifier: GPL-2.0-or-later
"""A session without a connection: what costs more than the frame that asks for it is refused."""

import pytest

from vdsm.jsonrpc.broker import Broker
from vdsm.jsonrpc.limits import Limits
from vdsm.jsonrpc.registry import Address
from vdsm.jsonrpc.rpc import Origin, Request, Rpc
from vdsm.jsonrpc.session import Session
from vdsm.jsonrpc.stomp import Frame

LONG = "a." * 128


class Link:
    """Keeps what is sent."""

    client = local = Address("192.0.2.1", 54321)

    def __init__(self) -> None:
        self.sent = b""

    def send(self, data: bytes) -> None:
        self.sent += data

    def set_heart_beat(self, send_ms: int, expect_ms: int) -> None: ...

    def finish(self) -> None: ...


class Caller:
    """Is not asked for anything here."""

    def call(self, request: Request, origin: Origin, done: object) -> None:
        raise AssertionError("a call")


@pytest.fixture
def link() -> Link:
    return Link()


@pytest.fixture
def session(link: Link) -> Session:
    session = Session(link, broker=Broker(), rpc=Rpc(Caller()), limits=Limits(), name="vdsm/1")
    session.received(Frame("CONNECT", {"accept-version": "1.2"}))
    return session


@pytest.mark.parametrize("command", ["SUBSCRIBE", "SEND"])
def test_a_destination_of_any_depth_is_refused(session: Session, link: Link, command: str) -> None:
    session.received(Frame(command, {"id": "1", "destination": LONG}))
    assert b"ERROR\n" in link.sent
    assert b"longer than 255 characters" in link.sent


def test_a_destination_as_long_as_it_may_be(session: Session, link: Link) -> None:
    session.received(Frame("SUBSCRIBE", {"id": "1", "destination": LONG[:255]}))
    session.received(Frame("SEND", {"destination": LONG[:255]}, b"x"))
    assert b"MESSAGE\n" in link.sent
    assert b"ERROR\n" not in link.sent
