# SPDX-License-Identifier: GPL-2.0-or-later
"""One TCP connection: bytes to frames, deadlines, heart-beats, and a bounded outgoing buffer.

A client that is silent, slow or does not read is dropped here; what frames mean is the session's.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import cast

from vdsm.jsonrpc.limits import Limits
from vdsm.jsonrpc.registry import Address
from vdsm.jsonrpc.session import Session
from vdsm.jsonrpc.stomp import CLIENT_COMMANDS, HEARTBEAT, FrameError, Parser

log = logging.getLogger(__name__)

# A heart-beat is sent well before it is due, and a client's may come this much later than
# promised: STOMP asks both sides to allow for timing errors.
_SEND_EARLY = 0.7
_EXPECT_LATE = 1.5
_EXPECT_GRACE_S = 1.0
_RECHECK_S = 0.05  # after a deadline was acted on


class Connection(asyncio.Protocol):
    """The protocol object of one accepted connection; it is its session's `Link`."""

    def __init__(
        self,
        *,
        client: Address,
        local: Address,
        limits: Limits,
        session: Callable[[Connection], Session],
        on_made: Callable[[Connection], None],
        on_lost: Callable[[Connection], None],
    ) -> None:
        self.client = client
        self.local = local
        self._limits = limits
        self._session = session(self)
        self._on_made = on_made
        self._on_lost = on_lost
        self._parser = Parser(CLIENT_COMMANDS, limits.frame)
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        now = self._loop.time()
        self._made_at = self._received_at = self._sent_at = now
        self._frame_began: float | None = None
        self._stalled_since: float | None = None
        self._finishing_since: float | None = None
        self._held = False
        self._send_every = self._expect_every = 0.0

    # --- asyncio.Protocol ---------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._made_at = self._received_at = self._sent_at = self._loop.time()
        self._on_made(self)
        self._check()

    def connection_lost(self, error: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._transport = None
        self._session.closed()
        log.info("%s disconnected%s", self.client, f": {error}" if error else "")
        self._on_lost(self)

    def data_received(self, data: bytes) -> None:
        self._received_at = self._loop.time()
        if self._finishing_since is not None:
            return
        try:
            for frame in self._parser.feed(data):
                self._frame_began = None
                self._session.received(frame)
                if self._finishing_since is not None:
                    return
        except FrameError as error:
            self._session.fail(str(error))
            return
        if not self._parser.partial:
            self._frame_began = None
        elif self._frame_began is None:
            self._frame_began = self._received_at
            self._check()

    def eof_received(self) -> bool:
        """The client sends no more; answers that are under way have nobody to go to."""
        return False

    def pause_writing(self) -> None:
        # No more requests are read until the answers to the earlier ones are taken.
        self._stalled_since = self._loop.time()
        if self._transport is not None and self._finishing_since is None:
            self._transport.pause_reading()
        self._check()

    def resume_writing(self) -> None:
        self._stalled_since = None
        self._received_at = self._loop.time()  # it could not be heard while reading was paused
        if self._transport is not None and self._finishing_since is None and not self._held:
            self._transport.resume_reading()
        self._check()

    # --- session.Link -------------------------------------------------------------------------

    def send(self, data: bytes) -> None:
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        transport.write(data)
        self._sent_at = self._loop.time()
        if transport.get_write_buffer_size() > self._limits.write_buffer_bytes:
            self.drop("it does not read what it asked for")

    def set_heart_beat(self, send_ms: int, expect_ms: int) -> None:
        self._send_every, self._expect_every = send_ms / 1000, expect_ms / 1000
        self._check()

    def finish(self) -> None:
        if self._finishing_since is not None:
            return
        self._finishing_since = self._loop.time()
        transport = self._transport
        if transport is None:
            return
        transport.resume_reading()  # what comes is thrown away
        if transport.can_write_eof():
            # Closing while unread bytes are there would make the kernel send a reset, which can
            # take the ERROR frame away from the client: wait for its end, up to the time limit.
            transport.write_eof()
        else:
            transport.close()  # TLS waits for the peer's close_notify by itself
        self._check()

    # --- the server's -------------------------------------------------------------------------

    def hold(self) -> None:
        """Reads no more requests: vdsm is about to stop."""
        self._held = True
        if self._transport is not None and self._finishing_since is None:
            self._transport.pause_reading()

    def drop(self, why: str) -> None:
        """Ends the connection at once."""
        log.warning("Dropping %s: %s", self.client, why)
        self._session.closed()
        if self._transport is not None:
            self._transport.abort()

    # --- deadlines ----------------------------------------------------------------------------

    def _check(self) -> None:
        """Does the first thing that is due, and sets the timer for what is due next."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._transport is None:
            return
        when, act = min(self._deadlines(), key=lambda deadline: deadline[0], default=(0.0, None))
        if act is None:
            return
        if when > self._loop.time():
            self._timer = self._loop.call_at(when, self._check)
            return
        self._timer = self._loop.call_later(_RECHECK_S, self._check)
        act()

    def _deadlines(self) -> list[tuple[float, Callable[[], None]]]:
        limits = self._limits
        if self._finishing_since is not None:
            return [(self._finishing_since + limits.close_s, self._abort)]
        if self._stalled_since is not None:
            when = self._stalled_since + limits.stalled_write_s
            return [(when, lambda: self.drop("it does not read what it asked for"))]
        deadlines: list[tuple[float, Callable[[], None]]] = []
        if not self._session.connected:
            when = self._made_at + limits.connect_s
            deadlines.append((when, lambda: self._session.fail("no CONNECT frame in time")))
        if self._frame_began is not None:
            when = self._frame_began + limits.frame_s
            deadlines.append((when, lambda: self._session.fail("a frame was not ended in time")))
        if self._expect_every:
            when = self._received_at + self._expect_every * _EXPECT_LATE + _EXPECT_GRACE_S
            deadlines.append((when, lambda: self.drop("its heart-beat is missing")))
        if self._send_every:
            when = self._sent_at + self._send_every * _SEND_EARLY
            deadlines.append((when, lambda: self.send(HEARTBEAT)))
        return deadlines

    def _abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()
