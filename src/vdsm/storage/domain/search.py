# SPDX-License-Identifier: GPL-2.0-or-later
"""Looking in several places at a time for what only one of them has."""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextvars import copy_context
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def first(
    work: Callable[[Item], Result | None],
    items: Sequence[Item],
    threads: int,
    patience_s: float | None = None,
) -> Result | None:
    """The first result of `work` that is not None, or None when it is None for all items, or was
    for those that were done within `patience_s` seconds.

    Nobody waits for the others once there is one: their threads keep no process from ending.
    Raises what `work` raised, unless another item had a result before.
    """
    end = None if patience_s is None else time.monotonic() + patience_s
    waiting = deque((copy_context(), item) for item in items)
    answers: queue.SimpleQueue[Result | BaseException | None] = queue.SimpleQueue()

    def run() -> None:
        while True:
            try:
                context, item = waiting.popleft()
            except IndexError:  # another thread took the last one, or it is found
                return
            try:
                answers.put(context.run(work, item))
            except BaseException as error:  # raised where the answer is awaited
                answers.put(error)

    for number in range(min(len(items), threads)):
        threading.Thread(target=run, name=f"search/{number}", daemon=True).start()
    for _ in items:
        try:
            answer = answers.get(timeout=None if end is None else max(0, end - time.monotonic()))
        except queue.Empty:
            break
        if answer is None:
            continue
        waiting.clear()
        if isinstance(answer, BaseException):
            raise answer
        return answer
    waiting.clear()
    return None
