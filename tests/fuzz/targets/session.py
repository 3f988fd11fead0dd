# SPDX-License-Identifier: GPL-2.0-or-later
"""A connection to supervdsm: bytes into a session, with verbs that do no harm.

The first byte says how the stream is cut, and by its lowest bit whether the peer is root. Oracle:
no verb runs before a good Hello, unless the peer is root; each answer is one whole varlink message
of a bounded size, a result or an error that is declared; no verb fails in a way that nobody
declared; the conversation does not depend on the pieces, nor on whether a call takes the short way
or the long one.
"""

from collections.abc import Mapping
from typing import cast

import msgspec

from fuzz.target import require
from fuzz.targets._split import pieces
from fuzz.targets.wire import Fed, Feed
from supervdsm.server.calls import CallRegistry
from supervdsm.server.dispatch import Dispatcher
from supervdsm.server.introspect import STANDARD, Introspection
from supervdsm.server.peer import Peer
from supervdsm.server.service import ServiceRoom
from supervdsm.server.session import Session
from supervdsm.server.table import Table, build
from vdsm_contract import wire
from vdsm_contract.declare import Interface, exclusive, per_path, seconds, verb
from vdsm_contract.errors import BY_NAME, Busy, InvalidArgument
from vdsm_contract.interfaces import Service
from vdsm_contract.types import HealthReport, KsmTuning, QemuConfMatch
from vdsm_contract.version import CONTRACT_VERSION
from vdsm_contract.wire import OutgoingRequest, encode

MOST = 1024
PREFIX = 1
_MOST_ANSWER = 1 << 16
_NAME = "org.ovirt.supervdsm.fuzz"


class Harmless(Interface, name=_NAME):
    """Verbs with every kind of argument, lock and end."""

    @verb(limit=seconds(60), touches="nothing")
    def scalars(self, text: str, number: int = 0, real: float = 0.0, flag: bool = False) -> None:
        """Take scalars."""

    @verb(limit=seconds(60), lock=per_path("path"), secret=("password",), touches="nothing")
    def one(self, path: str, password: str | None = None) -> QemuConfMatch:
        """Take a lock for a path."""

    @verb(limit=seconds(60), lock=exclusive("fuzz"), errors=(Busy,), touches="nothing")
    def whole(self, things: dict[str, object], words: list[str]) -> None:
        """Take a lock for the host, and end badly at times."""

    @verb(limit=seconds(60), touches="nothing", poll=True)
    def tune(self, tuning: KsmTuning) -> None:
        """Take a structure."""


class Room(Harmless):
    """Remembers what ran."""

    def __init__(self) -> None:
        self.ran: list[str] = []

    def scalars(self, text: str, number: int = 0, real: float = 0.0, flag: bool = False) -> None:
        self.ran.append(f"scalars {text!r} {number} {real} {flag}")

    def one(self, path: str, password: str | None = None) -> QemuConfMatch:
        self.ran.append(f"one {path!r} {password!r}")
        return QemuConfMatch(contains=password is None)

    def whole(self, things: dict[str, object], words: list[str]) -> None:
        self.ran.append(f"whole {things!r} {words!r}")
        if words:
            raise InvalidArgument("words", words[0][:40])

    def tune(self, tuning: KsmTuning) -> None:
        self.ran.append(f"tune {tuning!r}")


class Still(ServiceRoom):
    """Tells the same at any time."""

    def health(self) -> HealthReport:
        found = super().health()
        return msgspec.structs.replace(found, uptime=1.0, pid=1)


class Slow(Table):
    """A table that no call takes the short way by."""

    def read(self, data: bytes) -> None:
        return None


class Conversation(Feed):
    """The socket: what comes is given, what goes is kept."""

    def __init__(self, parts: list[bytes]) -> None:
        super().__init__(parts)
        self.sent: list[bytes] = []

    def send(self, data: bytes, flags: int = 0) -> int:
        self.sent.append(bytes(data))
        return len(data)

    def shutdown(self, how: int) -> None: ...

    def close(self) -> None: ...


_INTROSPECTION = Introspection({Harmless.INTERFACE: Harmless, Service.INTERFACE: Service})
_ROOM = Room()
_SERVICE = Still(CallRegistry(), connections=lambda: 1, draining=lambda: False)
_FAST = build([_SERVICE, _ROOM])
_SLOW = Slow(_FAST.values())
_VDSM, _ROOT = Peer(7, 36, "vdsm[7]"), Peer(8, 0, "root[8]")


def run(data: bytes) -> None:
    first, stream = data[0] if data else 0, data[1:]
    peer = _ROOT if first & 1 else _VDSM
    whole = conversation([stream] if stream else [], peer, _FAST)
    other = conversation(list(pieces(stream, first)), peer, _SLOW)
    require(whole == other, "another conversation: {} {}", whole, other)
    sent, ran = whole
    if ran and peer is _VDSM:
        require(CONTRACT_VERSION.encode() in stream, "a verb ran for a stranger")
    for message in sent:
        check(message)


def conversation(parts: list[bytes], peer: Peer, table: Table) -> tuple[list[bytes], list[str]]:
    """What was answered, and what ran."""

    def failed(identifier: str) -> None:
        raise AssertionError(f"a verb failed unexpectedly: {identifier}")

    _ROOM.ran = []
    _SERVICE.calls = CallRegistry()
    socket = Conversation(parts)
    channel = Fed(cast("wire.socket.socket", socket))
    dispatcher = Dispatcher(table, failed, _SERVICE.calls)
    Session(channel, peer, dispatcher, _INTROSPECTION).run()
    require(not _SERVICE.calls.snapshot(), "calls that do not end")
    return socket.sent, _ROOM.ran


def check(message: bytes) -> None:
    require(len(message) < _MOST_ANSWER, "an answer of {} bytes", len(message))
    require(message.endswith(b"\0") and message.count(b"\0") == 1, "not one message")
    answer = msgspec.json.decode(message[:-1])
    require(isinstance(answer, dict), "an answer that is no object")
    require(isinstance(answer["parameters"], dict), "an answer without parameters")
    error = answer.get("error")
    if error is not None:
        require(error in BY_NAME or error.startswith(f"{STANDARD}."), "error {}", error)
        require(not error.endswith(".Unexpected"), "an error that nobody declared")


def seeds() -> Mapping[str, bytes]:
    class Parameters(msgspec.Struct, rename="camel", omit_defaults=True):
        contract: str = ""
        text: str = ""
        number: int = 0
        path: str = ""
        password: str = ""
        flow_id: str = ""

    def call(method: str, **values: object) -> bytes:
        return encode(OutgoingRequest(method, Parameters(**values)))  # type: ignore[arg-type]

    hello = call(f"{Service.INTERFACE}.Hello", contract=CONTRACT_VERSION)
    ping = call(f"{Service.INTERFACE}.Ping", flow_id="f\n")
    scalars = call(f"{_NAME}.Scalars", text="a", number=7)
    one = call(f"{_NAME}.One", path="/a", password="x")
    whole = (
        b'{"method":"%s.Whole","parameters":{"things":{"a":[1]},"words":[]},"oneway":true}\0'
        % _NAME.encode()
    )
    tune = b'{"parameters":{"tuning":{"run":1}},"method":"%s.Tune"}\0' % _NAME.encode()
    info = b'{"method":"org.varlink.service.GetInfo"}\0'
    describe = (
        b'{"method":"org.varlink.service.GetInterfaceDescription",'
        b'"parameters":{"interface":"%s"}}\0' % _NAME.encode()
    )
    return {
        "calls": b"\0" + hello + ping + scalars + one,
        "pieces": b"\x52" + hello + whole + tune + ping,
        "stranger": b"\0" + ping,
        "wrong": b"\0" + call(f"{Service.INTERFACE}.Hello", contract="0") + ping,
        "again": b"\0" + hello + call(f"{Service.INTERFACE}.Hello", contract="0") + ping,
        "root": b"\1" + scalars + call(f"{Service.INTERFACE}.Health"),
        "introspect": b"\2" + info + describe,
        "unknown": b"\1" + call("a.b.C") + call(f"{_NAME}.C") + scalars[:-2],
        "twice": b"\1" + b'{"method":"a","method":"%s.Ping"}\0' % Service.INTERFACE.encode(),
    }
