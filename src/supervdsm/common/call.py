# SPDX-License-Identifier: GPL-2.0-or-later
"""The call that this thread serves: which verb, until when, and for whom.

A verb does what it was asked to do also when its caller has gone meanwhile. One that has nothing to
do yet, as it waits for news or for its turn, ends then: nobody would read its answer, and a daemon
that dies again and again would leave more and more of them.
"""

import math
import select
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final, Protocol

import msgspec

from vdsm_contract.errors import TimedOut

_HANGUP_ALONE: Final = 0
"""poll(2) tells of POLLHUP without being asked; POLLRDHUP would come at a half-closed one, too."""


class Connection(Protocol):
    """What a call came by."""

    def fileno(self) -> int:
        """Return the descriptor of its socket."""


class ServedCall(msgspec.Struct, frozen=True):
    """A call being served. `deadline` is on time.monotonic()'s clock; `limit` is in seconds.

    `caller` is None when nobody waits for an answer.
    """

    method: str
    limit: float
    deadline: float
    caller: Connection | None = None

    @property
    def abandoned(self) -> bool:
        """Whether the caller has closed its end, or died. Who only sends no more still reads."""
        if self.caller is None:
            return False
        poll = select.poll()
        poll.register(self.caller, _HANGUP_ALONE)
        return bool(poll.poll(0))

    def remaining(self) -> float:
        """Return the seconds that are left. Raises TimedOut when none are."""
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimedOut(limit=self.limit)
        return left


_served: ContextVar[ServedCall | None] = ContextVar("served", default=None)

bind = _served.set
"""Bind a call to this thread; what this returns undoes it when given to `unbind`."""
unbind = _served.reset


@contextmanager
def serving(method: str, limit: float) -> Iterator[ServedCall]:
    """Bind a call of `method` to this thread until the block ends."""
    call = ServedCall(method, limit, time.monotonic() + limit)
    token = bind(call)
    try:
        yield call
    finally:
        unbind(token)


def current() -> ServedCall | None:
    """Return the call that this thread serves; None outside of one."""
    return _served.get()


def wait_readable(fd: int, seconds: float) -> None:
    """Wait until `fd` can be read, but no longer than `seconds`, and no longer than the caller of
    the call that this thread serves is there."""
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    served = current()
    if served is not None and served.caller is not None:
        poll.register(served.caller, _HANGUP_ALONE)
    poll.poll(math.ceil(seconds * 1000))
