# SPDX-License-Identifier: GPL-2.0-or-later
"""The call that this thread serves: which verb, until when."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import msgspec

from vdsm_contract.errors import TimedOut


class ServedCall(msgspec.Struct, frozen=True):
    """A call being served. `deadline` is on time.monotonic()'s clock; `limit` is in seconds."""

    method: str
    limit: float
    deadline: float

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
