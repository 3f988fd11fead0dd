# SPDX-License-Identifier: GPL-2.0-or-later
"""A fact that cannot change while vdsm runs: found once, and remembered only when it was found."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Once(Generic[T]):
    """Calls `find` until it returns; from then on gives what it returned. For any thread.

    Threads that ask before that each call `find`: none of them waits for another's failure.
    """

    def __init__(self, find: Callable[[], T]) -> None:
        self._find = find
        self._found: list[T] = []

    def get(self) -> T:
        """The fact. Raises whatever `find` raises, and then asks again at the next call."""
        if not self._found:
            self._found.append(self._find())
        return self._found[0]
