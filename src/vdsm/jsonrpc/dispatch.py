# SPDX-License-Identifier: GPL-2.0-or-later
"""From a JSON-RPC request to the handler of its verb, and one line in the log for each call.

In this order: does the verb exist (-32601), is vdsm ready (99), is the verb implemented (44), is
there room (1100), are the parameters right (-32602). Only then is the handler called. The
parameters may be millions of values, so that they are checked by a worker and not by the loop.
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import Callable, Mapping
from functools import partial

import msgspec

from vdsm.jsonrpc.errors import JSON, Code, VdsmError
from vdsm.jsonrpc.pool import WorkerPool
from vdsm.jsonrpc.registry import Call, Handler, Lane, Registry
from vdsm.jsonrpc.rpc import Origin, Outcome, RawParams, Request
from vdsm.jsonrpc.schema import Schema, redact
from vdsm_contract import flow
from vdsm_contract.errors import ContractError, InvalidArgument, NetworkConfigError
from vdsm_contract.systemd import log_line

log = logging.getLogger(__name__)

SLOW_S = 1.0  # oVirt's threshold for a warning about a slow call
_PARAMS_LENGTH = 4000  # of a call's parameters in the log, in characters
_METHOD_LENGTH = 64  # of a method's name in the log; a client may send anything

Done = Callable[[Outcome], None]
Observe = Callable[[str, int, float, float], None]
"""Is told of each call: the method, the code, the seconds of work, and those of waiting before."""


class Dispatcher:
    """Runs requests in the worker pools. All methods belong to the event loop's thread."""

    def __init__(
        self,
        *,
        schema: Schema,
        registry: Registry,
        pools: Mapping[Lane, WorkerPool],
        loop: asyncio.AbstractEventLoop,
        ready: Callable[[], bool],
    ) -> None:
        unknown = registry.keys() - schema.verbs.keys()
        if unknown:
            raise ValueError(f"verbs that the API does not have: {', '.join(sorted(unknown))}")
        self._schema = schema
        self._registry = registry
        self._pools = pools
        self._loop = loop
        self._ready = ready
        self._in_flight = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self.observe: Observe | None = None

    @property
    def in_flight(self) -> int:
        """Calls that were accepted and are not answered."""
        return self._in_flight

    async def drained(self) -> None:
        """Returns once no call is in flight."""
        await self._idle.wait()

    def call(self, request: Request, origin: Origin, done: Done) -> None:
        """Starts a call; `done` is called once, on the loop's thread, with what came of it."""
        call = Call(request.method, origin.flow_id, origin.client, origin.local)
        arrived = time.monotonic()
        try:
            handler = self._handler(request.method)
            lane = self._registry.lane(request.method)
            finished = partial(self._finished, origin, lane, done)
            job = partial(self._run, handler, call, request.params, arrived, finished)
            if not (origin.quota.has_room(lane) and self._pools[lane].submit(job)):
                raise VdsmError(Code.RESOURCE_EXHAUSTED)
        except VdsmError as error:
            self._ended(call, error, arrived, arrived)
            done(error)
            return
        origin.quota.take(lane)
        self._in_flight += 1
        self._idle.clear()

    def _handler(self, method: str) -> Handler:
        """The handler of a verb. Raises VdsmError when it cannot be called."""
        if method not in self._schema.verbs:
            raise VdsmError(Code.METHOD_NOT_FOUND)
        if not self._ready():
            raise VdsmError(Code.RECOVERY_IN_PROGRESS)
        handler = self._registry.get(method)
        if handler is None:
            raise VdsmError(Code.METHOD_NOT_IMPLEMENTED, f"This vdsm does not implement {method}")
        return handler

    def _checked(self, method: str, given: RawParams) -> dict[str, JSON]:
        """The parameters of a call by name, converted. Raises VdsmError -32602."""
        params = self._schema.check(method, given)
        if log.isEnabledFor(logging.DEBUG):
            log.debug("%s parameters: %.*s", method, _PARAMS_LENGTH, redact(params))
        return params

    def _run(
        self,
        handler: Handler,
        call: Call,
        given: RawParams,
        arrived: float,
        finished: Callable[[Outcome], None],
    ) -> None:
        """Calls the handler; on a worker's thread."""
        began = time.monotonic()
        with flow.bound(call.flow_id):
            outcome = invoke(call, lambda: handler(call, self._checked(call.method, given)))
        self._ended(call, outcome, arrived, began)
        try:
            self._loop.call_soon_threadsafe(finished, outcome)
        except RuntimeError:  # the loop is closed: vdsm gave up waiting for this call
            log.warning("%s ended after vdsm had stopped waiting for it", call.method)

    def _ended(self, call: Call, outcome: Outcome, arrived: float, began: float) -> None:
        _log_call(call, outcome, arrived, began)
        if self.observe is not None:
            code = outcome.code if isinstance(outcome, VdsmError) else 0
            self.observe(call.method, code, time.monotonic() - began, began - arrived)

    def _finished(self, origin: Origin, lane: Lane, done: Done, outcome: Outcome) -> None:
        origin.quota.give_back(lane)
        self._in_flight -= 1
        if not self._in_flight:
            self._idle.set()
        done(outcome)


def invoke(call: Call, work: Callable[[], JSON]) -> Outcome:
    """Does the work of a call and encodes its result; whatever it raises becomes a VdsmError."""
    try:
        result = work()
        return msgspec.json.encode(True if result is None else result)
    except VdsmError as error:
        return error
    except ContractError as error:  # supervdsm's errors know oVirt's number for themselves
        return VdsmError(error.api_code(), str(error), _details(error))
    except Exception:  # the caller gets an id, the journal gets the traceback under the same id
        incident = uuid.uuid4().hex[:12]
        log.exception("%s failed unexpectedly, incident %s", call.method, incident)
        return VdsmError(
            Code.INTERNAL_ERROR, f"The call failed inside vdsm; see incident {incident}"
        )


def _details(error: ContractError) -> dict[str, JSON]:
    """What a program can use of an error: its class, and the path of the argument to blame."""
    details: dict[str, JSON] = {"error": type(error).__name__}
    if isinstance(error, (InvalidArgument, NetworkConfigError)) and error.field:
        details["field"] = error.field
    return details


def _log_call(call: Call, outcome: Outcome, arrived: float, began: float) -> None:
    now = time.monotonic()
    code = outcome.code if isinstance(outcome, VdsmError) else 0
    slow = now - began > SLOW_S
    level = logging.WARNING if slow else logging.INFO
    if not log.isEnabledFor(level):
        return
    # The name may be anything when it is not a verb's.
    text = (
        f"call method={_one_word(call.method[:_METHOD_LENGTH])} client={call.client}"
        f" flow={_one_word(call.flow_id) or '-'} code={code}"
        f" duration={now - began:.3f}s waited={began - arrived:.3f}s"
    )
    if slow:
        text += " slow"
    if isinstance(outcome, VdsmError):
        text += f" error={outcome.message!r}"
    log_line(log, level, text)


def _one_word(text: str) -> str:
    """Text of a client as a field of a log line: it can neither end the line nor add a field."""
    if text.isprintable() and " " not in text:
        return text
    return "".join(c if c.isprintable() and c != " " else "?" for c in text)
