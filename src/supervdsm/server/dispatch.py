# SPDX-License-Identifier: GPL-2.0-or-later
"""From a request to its answer: find the verb, check the arguments, take the lock, run, answer.

Runs in the thread of the session that read the request. What a verb declares is answered as that
error. Anything else that it raises is a defect: the caller gets Unexpected with an id, the
traceback goes to the journal under it, and the process is asked to end, since nobody knows what
state it is in.
"""

import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, cast

import msgspec

from supervdsm.common.call import ServedCall, serving
from supervdsm.server import audit
from supervdsm.server.calls import CallRegistry, InFlight
from supervdsm.server.locks import LockTable
from supervdsm.server.peer import PROBE, Peer
from supervdsm.server.table import NOTHING, Entry
from vdsm_contract import flow
from vdsm_contract.errors import InvalidArgument, TimedOut, Unexpected, VerbError
from vdsm_contract.wire import OutgoingError, OutgoingResponse, Request, encode

if TYPE_CHECKING:
    from supervdsm.server.metrics import Metrics

_MAX_FLOW: Final = 256
_MAX_ECHO: Final = 256
"""Characters of what a peer sent that an error names: it must fit into a message."""
Expire = Callable[[bytes], None]
"""Sends an answer in the stead of a session that is stuck, and ends the session."""


@dataclass
class Dispatcher:
    """Serves requests from any number of threads. `fail` is told the id of an Unexpected."""

    table: Mapping[str, Entry]
    fail: Callable[[str], None]
    calls: CallRegistry = field(default_factory=CallRegistry)
    locks: LockTable = field(default_factory=LockTable)
    metrics: "Metrics | None" = None
    """None unless systemd passed a port for them."""

    def serve(self, entry: Entry, request: Request, peer: Peer, expire: Expire) -> bytes | None:
        """Run the verb of `entry` and return the answer; None when the reaper has given it."""
        started = time.monotonic()
        parameters: msgspec.Struct | None = None
        error: VerbError | None = None
        answer = b""
        in_flight: InFlight | None = None
        try:
            parameters = _decode(entry, request)
            flow_id = getattr(parameters, "flow_id", None) or ""
            limit = entry.verb.promise.limit
            with serving(entry.verb.method, limit) as call, flow.bound(flow_id):
                in_flight = InFlight(call, flow_id, lambda call: expire(_expired(call)))
                with (
                    self.calls.track(in_flight),
                    self.locks.held(entry.verb.promise.lock, parameters, call),
                ):
                    answer = self._run(entry, parameters)
        except entry.errors as declared:
            error = declared
        except BaseException as defect:  # SystemExit too: see the module
            error = self._unexpected(entry, defect)
        if error is not None:
            self.calls.count_failure()
            answer = encode_error(error)
        duration = time.monotonic() - started
        audit.call(peer, entry, parameters, error, duration)
        if self.metrics is not None and peer is not PROBE:
            self.metrics.call(entry.verb.method, error, duration)
        error = None  # its traceback holds this frame: the arguments would stay until the next gc
        if in_flight is not None and not in_flight.claim():
            return None
        return answer

    def _run(self, entry: Entry, parameters: msgspec.Struct) -> bytes:
        result = entry.function(*(getattr(parameters, name) for name in entry.arguments))
        return encode(OutgoingResponse(cast("msgspec.Struct", result or NOTHING)))

    def _unexpected(self, entry: Entry, defect: BaseException) -> Unexpected:
        identifier = uuid.uuid4().hex
        audit.unexpected(identifier, entry.verb.method, defect)
        self.fail(identifier)
        return Unexpected(id=identifier)


def encode_error(error: VerbError) -> bytes:
    """Return `error` as it goes over the wire."""
    return encode(OutgoingError(error.name, error))


def _decode(entry: Entry, request: Request) -> msgspec.Struct:
    try:
        parameters = entry.decoder.decode(request.parameters)
    except msgspec.ValidationError as error:
        raise _invalid(str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidArgument(field="parameters", reason=str(error)) from None
    flow_id = getattr(parameters, "flow_id", None) or ""
    if len(flow_id) > _MAX_FLOW:
        raise InvalidArgument(field="flowId", reason=f"longer than {_MAX_FLOW} characters")
    return parameters


def _invalid(text: str) -> InvalidArgument:
    """Turn msgspec's "Expected `int`, got `str` - at `$.tuning.run`" into field and reason."""
    reason, _, path = text.partition(" - at `$.")
    name = path.rstrip("`") or text.partition("field `")[2].partition("`")[0] or "parameters"
    return InvalidArgument(field=name[:_MAX_ECHO], reason=reason[:_MAX_ECHO])


def _expired(call: ServedCall) -> bytes:
    return encode_error(TimedOut(limit=call.limit))
