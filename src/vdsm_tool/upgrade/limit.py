# SPDX-License-Identifier: GPL-2.0-or-later
"""A limit for the whole of something, whatever it waits for."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from vdsm_tool.errors import ToolError


@contextmanager
def limited(seconds: float, what: str) -> Iterator[None]:
    """Raise ToolError in the main thread when the body takes longer than `seconds`.

    The timer counts as CLOCK_MONOTONIC does (setitimer(2), ITIMER_REAL): setting the clock changes
    nothing.
    """

    def expired(_number: int, _frame: FrameType | None) -> None:
        raise ToolError(f"{what} took longer than {seconds:g} s")

    before = signal.signal(signal.SIGALRM, expired)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
