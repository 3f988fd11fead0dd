# SPDX-License-Identifier: GPL-2.0-or-later
"""The caller's end: supervdsm as an object whose attributes are its interfaces.

    supervdsm = Supervdsm()
    supervdsm.storage.mount("server:/export", "/rhev/data-center/mnt/server:_export",
    vfs_type="nfs")

The one rule: **a request that may have reached supervdsm is never sent twice.** A call waits for a
supervdsm that is starting (its connection lies in systemd's socket). Once the whole request was
sent, an end of the stream is SupervdsmDied, "outcome unknown", and nobody makes the call again but
the caller who knows what it means.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, TypeVar, cast

import msgspec

from vdsm_contract import flow
from vdsm_contract.connection import Connection, ConnectionPool
from vdsm_contract.declare import Interface, Verb
from vdsm_contract.errors import (
    BY_NAME,
    ProtocolError,
    SupervdsmDied,
    SupervdsmTimeout,
    SupervdsmUnavailable,
    VerbError,
)
from vdsm_contract.interfaces import Host, Network, Service, Storage
from vdsm_contract.limits import MAX_MESSAGE, REPLY_GRACE
from vdsm_contract.paths import SUPERVDSM_SOCKET
from vdsm_contract.version import CONTRACT_VERSION
from vdsm_contract.wire import (
    NOTHING,
    Channel,
    MessageTooLarge,
    MessageTooSlow,
    Response,
    StreamClosed,
)

_I = TypeVar("_I", bound=Interface)

_encode: Final = msgspec.json.Encoder().encode
_decoder: Final = msgspec.json.Decoder(Response)


class Supervdsm:
    """supervdsm as seen by a caller. Safe to share between threads.

    Each call may raise what its verb declares (see `vdsm_contract.interfaces`), InvalidArgument,
    Busy, TimedOut or Unexpected, and of this side SupervdsmDied, SupervdsmTimeout (both: outcome
    unknown), SupervdsmUnavailable (not made), VersionMismatch, PeerRefused and ProtocolError.
    """

    def __init__(self, path: Path = SUPERVDSM_SOCKET, *, contract: str = CONTRACT_VERSION) -> None:
        self._pool = ConnectionPool(
            path, lambda channel, deadline: _hello(channel, deadline, contract)
        )
        self.service: Service = self.bind(Service)
        self.host: Host = self.bind(Host)
        self.storage: Storage = self.bind(Storage)
        self.network: Network = self.bind(Network)

    def bind(self, interface: type[_I]) -> _I:
        """Return `interface` as spoken over this proxy's connections."""
        methods = {name: self._method(Spoken(verb)) for name, verb in interface.VERBS.items()}
        return cast("_I", type(f"{interface.__name__}Proxy", (interface,), methods)())

    def close(self) -> None:
        """Close the idle connections; calls in flight end by themselves."""
        self._pool.close()

    def _method(self, spoken: "Spoken") -> Callable[..., object]:
        verb = spoken.verb
        call, make, flow_id = self._call, verb.parameters, flow.current
        most = len(make.__struct_fields__) - 1  # the last one is the flow id

        def method(_self: Interface, *args: Any, **kwargs: Any) -> object:
            if len(args) > most:
                raise TypeError(f"{verb.name} takes {most} arguments, {len(args)} were given")
            return call(spoken, make(*args, **kwargs, flow_id=flow_id() or None))

        method.__name__ = verb.attribute
        method.__doc__ = verb.doc
        return method

    def _call(self, spoken: "Spoken", parameters: msgspec.Struct) -> object:
        request = spoken.request(parameters)
        deadline = time.monotonic() + spoken.timeout
        connection = self._send(request, deadline)
        answer = None
        try:
            answer = _receive(connection.channel, deadline)
        finally:
            if answer is None:
                self._pool.drop(connection)
            else:
                self._pool.give_back(connection)
        return spoken.result(answer)

    def _send(self, request: bytes, deadline: float) -> Connection:
        """Return the connection on which the whole request was sent, once."""
        pause = 0.0
        while True:
            connection = self._pool.take(deadline)
            try:
                connection.channel.send(request)
                return connection
            except (OSError, MessageTooSlow) as error:
                # The NUL was not delivered, so nothing ran: another connection may try.
                reason = str(error) or "it does not read"
                self._pool.drop(connection)
            except BaseException:
                self._pool.drop(connection)
                raise
            if time.monotonic() >= deadline:
                raise SupervdsmUnavailable(reason)
            if connection.used:
                continue  # supervdsm had closed it while it was idle; the next one may live
            time.sleep(pause)
            pause = min(pause + 0.01, 0.2)


class _Answer(msgspec.Struct, kw_only=True):
    """An answer, read with the types of its verb."""

    parameters: object
    error: str = ""


class Spoken:
    """A verb as the caller says and hears it; what is the same in each call is made once."""

    __slots__ = ("_decoder", "_head", "timeout", "verb")

    def __init__(self, verb: Verb) -> None:
        self.verb = verb
        self.timeout = verb.promise.limit + REPLY_GRACE
        self._head = b'{"method":%b,"parameters":' % _encode(verb.method)
        if verb.result is None:
            return
        # A good answer is decoded at once, not first as an answer and then as a result.
        good = msgspec.defstruct(
            f"{verb.name}Answer", [("parameters", verb.result)], bases=(_Answer,), kw_only=True
        )
        self._decoder = msgspec.json.Decoder(cast("type[_Answer]", good))

    def request(self, parameters: msgspec.Struct) -> bytes:
        """Return a call as it goes over the wire. Raises ProtocolError when it is too large."""
        request = self._head + _encode(parameters) + b"}\0"
        if len(request) > MAX_MESSAGE + 1:
            raise ProtocolError("the arguments are larger than a message may be")
        return request

    def result(self, answer: bytes) -> object:
        """Return what an answer brings. Raises the error that it names, and ProtocolError."""
        if self.verb.result is None:
            return None if answer == NOTHING else _result(self.verb, answer)
        try:
            good = self._decoder.decode(answer)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return _result(self.verb, answer)  # an error has other parameters
        return _result(self.verb, answer) if good.error else good.parameters


def _hello(channel: Channel, deadline: float, contract: str) -> None:
    hello = Spoken(Service.VERBS["hello"])
    with suppress(BrokenPipeError):  # whoever sends us away may be faster, and has said why
        channel.send(hello.request(hello.verb.parameters(contract=contract)))
    try:
        answer = channel.receive(max(deadline - time.monotonic(), 0))
    except MessageTooLarge:
        raise _too_large() from None
    hello.result(answer)


def _receive(channel: Channel, deadline: float) -> bytes:
    try:
        return channel.receive(max(deadline - time.monotonic(), 0))
    except (TimeoutError, MessageTooSlow):
        raise SupervdsmTimeout from None
    except MessageTooLarge:
        raise _too_large() from None
    except (StreamClosed, OSError):
        raise SupervdsmDied from None


def _too_large() -> ProtocolError:
    return ProtocolError("the answer is larger than a message may be")


def _result(verb: Verb, answer: bytes) -> object:
    try:
        response = _decoder.decode(answer)
        if not response.error:
            return verb.result and msgspec.json.decode(response.parameters, type=verb.result)
        raise _error(response)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ProtocolError(f"{verb.method}: {error}") from None


def _error(response: Response) -> VerbError | ProtocolError:
    kind = BY_NAME.get(response.error)
    if kind is None:
        return ProtocolError(f"it answered {response.error}")
    return msgspec.json.decode(response.parameters, type=kind)
