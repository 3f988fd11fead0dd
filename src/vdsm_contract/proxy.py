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

import itertools
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
from vdsm_contract.limits import REPLY_GRACE
from vdsm_contract.paths import SUPERVDSM_SOCKET
from vdsm_contract.version import CONTRACT_VERSION
from vdsm_contract.wire import (
    MessageTooLarge,
    MessageTooSlow,
    OutgoingRequest,
    Response,
    StreamClosed,
    encode,
)

_I = TypeVar("_I", bound=Interface)
_Call = Callable[[Verb, msgspec.Struct], object]

_decoder: Final = msgspec.json.Decoder(Response)


class Supervdsm:
    """supervdsm as seen by a caller. Safe to share between threads.

    Each call may raise what its verb declares (see `vdsm_contract.interfaces`), InvalidArgument,
    Busy, TimedOut or Unexpected, and of this side SupervdsmDied, SupervdsmTimeout (both: outcome
    unknown), SupervdsmUnavailable (not made), VersionMismatch, PeerRefused and ProtocolError.
    """

    def __init__(self, path: Path = SUPERVDSM_SOCKET, *, contract: str = CONTRACT_VERSION) -> None:
        self._pool = ConnectionPool(path, lambda connection: _hello(connection, contract))
        self.service: Service = bind(Service, self._call)
        self.host: Host = bind(Host, self._call)
        self.storage: Storage = bind(Storage, self._call)
        self.network: Network = bind(Network, self._call)

    def bind(self, interface: type[_I]) -> _I:
        """Return `interface` as spoken over this proxy's connections."""
        return bind(interface, self._call)

    def close(self) -> None:
        """Close the idle connections; calls in flight end by themselves."""
        self._pool.close()

    def _call(self, verb: Verb, parameters: msgspec.Struct) -> object:
        deadline = time.monotonic() + verb.promise.limit + REPLY_GRACE
        try:
            request = encode(OutgoingRequest(verb.method, parameters))
        except MessageTooLarge:
            raise ProtocolError("the arguments are larger than a message may be") from None
        for attempt in itertools.count():
            with self._pool.lease(deadline) as connection:
                try:
                    connection.channel.send(request)
                except (OSError, MessageTooSlow) as error:
                    # The NUL was not delivered, so nothing ran: another connection may try.
                    if time.monotonic() >= deadline:
                        raise SupervdsmUnavailable(str(error) or "it does not read") from None
                    time.sleep(min(0.01 * attempt, 0.2))
                    continue
                answer = _receive(connection, deadline)
                connection.reusable = True
                return _result(verb, answer)
        raise AssertionError("unreachable")


def bind(interface: type[_I], call: _Call) -> _I:
    """Return an object of `interface` whose verbs are made by `call`."""
    methods = {name: _method(verb, call) for name, verb in interface.VERBS.items()}
    return cast("_I", type(f"{interface.__name__}Proxy", (interface,), methods)())


def _method(verb: Verb, call: _Call) -> Callable[..., object]:
    names = [name for name in verb.parameters.__struct_fields__ if name != "flow_id"]

    def method(self: Interface, *args: Any, **kwargs: Any) -> object:  # noqa: ARG001
        if len(args) > len(names):
            raise TypeError(f"{verb.name} takes {len(names)} arguments, {len(args)} were given")
        arguments = dict(zip(names, args, strict=False), **kwargs)
        return call(verb, verb.parameters(**arguments, flow_id=flow.current() or None))

    method.__name__ = verb.attribute
    method.__doc__ = verb.doc
    return method


def _hello(connection: Connection, contract: str) -> None:
    verb = Service.VERBS["hello"]
    request = OutgoingRequest(verb.method, verb.parameters(contract=contract))
    with suppress(BrokenPipeError):  # whoever sends us away may be faster, and has said why
        connection.channel.send(encode(request))
    timeout = max(connection.deadline - time.monotonic(), 0.001)
    try:
        answer = connection.channel.receive(timeout)
    except MessageTooLarge:
        raise _too_large() from None
    _result(verb, answer)


def _receive(connection: Connection, deadline: float) -> bytes:
    try:
        return connection.channel.receive(max(deadline - time.monotonic(), 0.001))
    except TimeoutError:
        raise SupervdsmTimeout from None
    except MessageTooSlow:
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
