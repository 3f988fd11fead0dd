# SPDX-License-Identifier: GPL-2.0-or-later
"""The same work for several things at a time, in threads that keep no process from ending.

A ThreadPoolExecutor's threads are waited for when the interpreter exits: one that hangs on a dead
server would hold a draining vdsm until it is killed.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextvars import copy_context
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def each(work: Callable[[Item], Result], items: Sequence[Item], threads: int) -> list[Result]:
    """The results of `work` for each of `items`, in their order, in up to `threads` threads.

    The caller's context, such as the flow id, goes along. Raises what `work` raised.
    """
    # A context of its own for each item: a context can be entered by one thread at a time.
    jobs = [(Future[Result](), copy_context(), item) for item in items]
    waiting = deque(jobs)

    def run() -> None:
        while waiting:
            try:
                future, context, item = waiting.popleft()
            except IndexError:  # another thread took the last one
                return
            try:
                future.set_result(context.run(work, item))
            except BaseException as error:  # raised where the result is awaited
                future.set_exception(error)

    for number in range(min(len(jobs), threads)):
        name = f"side-by-side/{number}"
        threading.Thread(target=run, name=name, daemon=True).start()
    return [future.result() for future, _, _ in jobs]
