# SPDX-License-Identifier: GPL-2.0-or-later
"""What a person sees: progress on stderr, one sentence and a hint when something fails."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager


class Failed(Exception):
    """A failure that a person can understand: one sentence, and a way out if there is one."""

    def __init__(self, message: str, hint: str = "", details: str = "") -> None:
        super().__init__(message)
        self.hint = hint
        self.details = details


def progress(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


@contextmanager
def step(message: str) -> Iterator[None]:
    """Say what begins, and how long it took once it is done."""
    progress(f"{message} …")
    begin = time.monotonic()
    yield
    progress(f"  done in {time.monotonic() - begin:.1f} s")


def show_failure(failure: Failed) -> None:
    if failure.details:
        progress(failure.details.rstrip())
    progress(f"error: {failure}")
    if failure.hint:
        progress(f"hint: {failure.hint}")
