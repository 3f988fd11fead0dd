# SPDX-License-Identifier: GPL-2.0-or-later
"""One at a time: file locks that vanish with their holder and leave no file behind."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from testenv.report import progress


@contextmanager
def locked(path: Path, waiting_for: str) -> Iterator[None]:
    """Hold the lock file `path`; say `waiting_for` if somebody else has it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = _acquire(path, waiting_for)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(descriptor)


def _acquire(path: Path, waiting_for: str) -> int:
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                progress(f"waiting for {waiting_for} …")
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            # The holder before us unlinked the file that we opened: take the new one.
            if path.exists() and path.stat().st_ino == os.fstat(descriptor).st_ino:
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
