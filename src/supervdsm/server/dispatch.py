# SPDX-License-Identifier: GPL-2.0-or-later
"""From a call to its answer: take the lock, run, answer, write it down.

Runs in the thread of the session that read the call, which touches as little as can be besides: a
call that changes nothing costs a few microseconds here. What a verb declares is answered as that
error. Anything else that it raises is a defect: the caller gets Unexpected with an id, the
traceback goes to the journal under it, and the process is asked to end, since nobody knows what
state it is in.

The audit line of a call is written before its answer is sent: who was answered finds it in the
journal, whenever supervdsm is killed. A good answer of a verb that touches nothing goes first.
"""

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol, cast

import msgspec

from supervdsm.common import call as served
from supervdsm.common.call import ServedCall
from supervdsm.server import audit
from supervdsm.server.calls import CallRegistry, InFlight, Waiting
from supervdsm.server.locks import LockTable
from supervdsm.server.peer import PROBE, Peer
from supervdsm.server.table import MAX_FLOW, Entry, Table
from vdsm_contract import flow
from vdsm_contract.errors import InvalidArgument, Unexpected, VerbError
from vdsm_contract.wire import NOTHING, OutgoingError, OutgoingResponse, Request, encode

if TYPE_CHECKING:
    from supervdsm.server.metrics import Metrics

_MAX_ECHO: Final = 256
"""Characters of what a peer sent that an error names: it must fit into a message."""
_NOTHING: Final = NOTHING + b"\0"
_arguments = msgspec.structs.astuple


class Caller(Waiting, Protocol):
    """Who called: a session, as dispatch sees it."""

    peer: Peer

    def fileno(self) -> int:
        """Return the descriptor of its socket."""

    def answer(self, data: bytes, *, oneway: bool) -> None:
        """Send an answer, unless none is wanted. Raises OSError and MessageTooSlow."""


@dataclass
class Dispatcher:
    """Serves calls from any number of threads. `fail` is told the id of an Unexpected."""

    table: Table
    fail: Callable[[str], None]
    calls: CallRegistry = field(default_factory=CallRegistry)
    locks: LockTable = field(default_factory=LockTable)
    metrics: "Metrics | None" = None
    """None unless systemd passed a port for them."""

    def serve(
        self, entry: Entry, parameters: msgspec.Struct, caller: Caller, *, oneway: bool
    ) -> bool:
        """Run the verb of `entry` and answer; False when the reaper has answered, and the
        connection ends."""
        started = time.monotonic()
        flow_id: str = parameters.flow_id or ""  # type: ignore[attr-defined]
        asks = None if oneway else caller
        call = ServedCall(entry.method, entry.limit, started + entry.limit, asks)
        in_flight = InFlight(call, flow_id, caller, oneway)
        error: VerbError | None = None
        self.calls.begin(in_flight)
        try:
            answer = self._run(entry, parameters, call, flow_id)
        except entry.errors as declared:
            error = declared
        except BaseException as defect:  # SystemExit too: see the module
            error = self._unexpected(entry, defect)
        if error is not None:
            answer = encode_error(error)
        ours = self.calls.end(in_flight, failed=error is not None)
        if self.metrics is not None and caller.peer is not PROBE:
            self.metrics.call(entry.method, error, time.monotonic() - started)
        if ours and error is None and entry.touches_nothing:
            try:
                caller.answer(answer, oneway=oneway)
            finally:
                audit.call(caller.peer, entry, parameters, None, time.monotonic() - started)
            return True
        audit.call(caller.peer, entry, parameters, error, time.monotonic() - started)
        error = None  # its traceback holds this frame: the arguments would stay until the next gc
        if ours:
            caller.answer(answer, oneway=oneway)
        return ours

    def refuse(self, entry: Entry, error: InvalidArgument, caller: Caller, *, oneway: bool) -> None:
        """Answer a call whose arguments are wrong."""
        self.calls.refused()
        if self.metrics is not None:
            self.metrics.call(entry.method, error, 0.0)
        audit.call(caller.peer, entry, None, error, 0.0)
        caller.answer(encode_error(error), oneway=oneway)

    def turned_away(self, name: str, error: VerbError) -> None:
        """Write down and count a connection that was not let in, or ends because of what came."""
        audit.refused(name, error)
        if self.metrics is not None:
            self.metrics.refused(error)

    def _run(
        self, entry: Entry, parameters: msgspec.Struct, call: ServedCall, flow_id: str
    ) -> bytes:
        """Run the verb, with its lock, as the call that this thread serves; encode its result."""
        its_call, its_flow = served.bind(call), flow.bind(flow_id)
        try:
            # The last of the parameters is the flow id.
            if entry.locked:
                with self.locks.held(entry.verb.promise.lock, parameters, call):
                    result = entry.function(*_arguments(parameters)[:-1])
            else:
                result = entry.function(*_arguments(parameters)[:-1])
        finally:
            flow.unbind(its_flow)
            served.unbind(its_call)
        if result is None:
            return _NOTHING
        return encode(OutgoingResponse(cast("msgspec.Struct", result)))

    def _unexpected(self, entry: Entry, defect: BaseException) -> Unexpected:
        identifier = uuid.uuid4().hex
        audit.unexpected(identifier, entry.method, defect)
        self.fail(identifier)
        return Unexpected(id=identifier)


def encode_error(error: VerbError) -> bytes:
    """Return `error` as it goes over the wire."""
    return encode(OutgoingError(error.name, error))


def decode(entry: Entry, request: Request) -> msgspec.Struct:
    """Return the parameters of a request for the verb of `entry`. Raises InvalidArgument."""
    try:
        parameters = entry.decoder.decode(request.parameters)
    except msgspec.ValidationError as error:
        raise _invalid(str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidArgument(field="parameters", reason=str(error)) from None
    flow_id = getattr(parameters, "flow_id", None) or ""
    if len(flow_id) > MAX_FLOW:
        raise InvalidArgument(field="flowId", reason=f"longer than {MAX_FLOW} characters")
    return parameters


def _invalid(text: str) -> InvalidArgument:
    """Turn msgspec's "Expected `int`, got `str` - at `$.tuning.run`" into field and reason."""
    reason, _, path = text.partition(" - at `$.")
    name = path.rstrip("`") or text.partition("field `")[2].partition("`")[0] or "parameters"
    return InvalidArgument(field=name[:_MAX_ECHO], reason=reason[:_MAX_ECHO])
