# SPDX-License-Identifier: GPL-2.0-or-later
"""One connection: its thread reads a request, serves it, answers, and reads the next.

vdsm must say Hello first. A peer that breaks the protocol is told so, once, and sent away; no other
session notices.
"""

from dataclasses import dataclass
from typing import Final

import msgspec

from supervdsm.common.call import ServedCall
from supervdsm.server.dispatch import Dispatcher, decode, encode_error
from supervdsm.server.introspect import STANDARD, Introspection
from supervdsm.server.peer import Peer
from supervdsm.server.table import HELLO
from vdsm_contract.errors import (
    BadMessage,
    HelloRequired,
    InvalidArgument,
    TimedOut,
    VerbError,
)
from vdsm_contract.interfaces import Service
from vdsm_contract.limits import HELLO_DEADLINE
from vdsm_contract.version import CONTRACT_VERSION
from vdsm_contract.wire import (
    Channel,
    MessageTooLarge,
    MessageTooSlow,
    Request,
    StreamClosed,
)

_decoder: Final = msgspec.json.Decoder(Request)


class _Goodbye(Exception):
    """The connection must end; `error` is what the peer is told."""

    def __init__(self, error: VerbError) -> None:
        super().__init__(str(error))
        self.error = error


@dataclass(eq=False)
class Session:
    """A connection with an admitted peer."""

    channel: Channel
    peer: Peer
    dispatcher: Dispatcher
    introspection: Introspection
    greeted: bool = False

    def run(self) -> None:
        """Serve the connection until it ends."""
        try:
            self._serve()
        except _Goodbye as goodbye:
            self.dispatcher.turned_away(self.peer.name, goodbye.error)
            self.channel.send_now(encode_error(goodbye.error))
        except MessageTooSlow:
            error = BadMessage(reason="the peer does not read its answers")
            self.dispatcher.turned_away(self.peer.name, error)
        except (StreamClosed, OSError):
            return  # the peer went away: the calls it made are in the audit
        finally:
            self.channel.shutdown()
            self.channel.close()

    def _serve(self) -> None:
        more = self._serve_one(HELLO_DEADLINE)
        while more:
            more = self._serve_one(None)

    def _serve_one(self, timeout: float | None) -> bool:
        """Serve the next request; return whether there may be more.

        It and its answer are let go of before the next one is waited for: both can be large.
        """
        data = self._receive(timeout)
        call = self.dispatcher.table.read(data) if self.greeted else None
        if call is None:
            return self._serve_other(data)
        return self.dispatcher.serve(call.entry, call.parameters, self, oneway=call.oneway)

    def _serve_other(self, data: bytes) -> bool:
        """Serve a message that is not simply a call: of a stranger, wrong, or of no verb of ours.
        Return whether there may be more."""
        request = _decoded(data)
        if not self.greeted and not self._may_call_ungreeted(request):
            raise _Goodbye(HelloRequired())
        if not self._answer_other(request):
            return False
        if request.method == HELLO:
            self._check_hello(request)
        return True

    def _answer_other(self, request: Request) -> bool:
        entry = self.dispatcher.table.get(request.method)
        if entry is None:
            if self.dispatcher.metrics is not None:
                self.dispatcher.metrics.unknown()
            self.answer(self.introspection.answer(request), oneway=request.oneway)
            return True
        try:
            parameters = decode(entry, request)
        except InvalidArgument as error:
            self.dispatcher.refuse(entry, error, self, oneway=request.oneway)
            return True
        return self.dispatcher.serve(entry, parameters, self, oneway=request.oneway)

    def _receive(self, timeout: float | None) -> bytes:
        try:
            return self.channel.receive(timeout)
        except TimeoutError:
            raise _Goodbye(BadMessage(reason="nothing came on the new connection")) from None
        except MessageTooSlow:
            raise _Goodbye(BadMessage(reason="the message did not end in time")) from None
        except MessageTooLarge:
            raise _Goodbye(BadMessage(reason="the message is too large")) from None
        except StreamClosed as closed:
            if closed.partial:
                raise _Goodbye(BadMessage(reason="the stream ended inside a message")) from None
            raise

    def _may_call_ungreeted(self, request: Request) -> bool:
        return (
            self.peer.is_root
            or request.method == HELLO
            or request.method.startswith(f"{STANDARD}.")
        )

    def _check_hello(self, request: Request) -> None:
        """Note a good Hello; end the connection after a bad one, which was answered already."""
        hello = Service.VERBS["hello"]
        try:
            said = msgspec.json.decode(request.parameters, type=hello.parameters)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise StreamClosed(partial=False) from None
        if getattr(said, "contract", None) != CONTRACT_VERSION:
            raise StreamClosed(partial=False)
        self.greeted = True

    def fileno(self) -> int:
        """Return the descriptor of its socket."""
        return self.channel.fileno()

    def answer(self, data: bytes, *, oneway: bool) -> None:
        """Send an answer, unless none is wanted. Raises OSError and MessageTooSlow."""
        if not oneway:
            self.channel.send(data)

    def expire(self, call: ServedCall, *, oneway: bool) -> None:
        """Answer TimedOut in the stead of a verb that is stuck; the connection ends with it.

        Whoever has read the answer can send no further call, which nobody would serve.
        """
        self.channel.shutdown_reading()
        if not oneway:
            self.channel.send_now(encode_error(TimedOut(limit=call.limit)))
        self.channel.shutdown()


def _decoded(data: bytes) -> Request:
    try:
        return _decoder.decode(data)
    except RecursionError:
        raise _Goodbye(BadMessage(reason="the message is nested too deeply")) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _Goodbye(BadMessage(reason=str(error))) from None
