# SPDX-License-Identifier: GPL-2.0-or-later
"""The locks of calls: one for a name on the whole host, or one for each path.

A lock belongs to the function that runs, not to the client that asked: it is held until the
function ends, also when the client has long gone or was told TimedOut.
"""

import posixpath
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import msgspec

from supervdsm.common.call import ServedCall
from vdsm_contract.declare import Lock, LockMode
from vdsm_contract.errors import Busy

_LOOK_SECONDS: Final = 0.25
"""How often one that waits looks whether its caller is still there."""


class LockTable:
    """The locks that are held or waited for now; nothing is kept of those that are not."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._locks: dict[str, tuple[threading.Lock, int]] = {}
        self.waited: Callable[[str, float], None] | None = None
        """Is told the name of a lock, and for how many seconds a call waited for it."""

    @contextmanager
    def held(self, lock: Lock, parameters: msgspec.Struct, call: ServedCall) -> Iterator[None]:
        """Hold `lock` for a call with `parameters` until the block ends. Raises Busy."""
        if lock.mode is LockMode.NONE:
            yield
            return
        key = lock_key(lock, parameters)
        mutex = self._enter(key)
        try:
            waits = lock.mode is LockMode.WAIT
            began = time.monotonic()
            taken = _await_turn(mutex, call) if waits else mutex.acquire(blocking=False)
            if self.waited is not None:
                self.waited(lock.name, time.monotonic() - began)
            if not taken:
                raise Busy(lock=key)
            try:
                yield
            finally:
                mutex.release()
        finally:
            self._leave(key)

    def _enter(self, key: str) -> threading.Lock:
        with self._guard:
            mutex, users = self._locks.get(key, (threading.Lock(), 0))
            self._locks[key] = (mutex, users + 1)
            return mutex

    def _leave(self, key: str) -> None:
        with self._guard:
            mutex, users = self._locks[key]
            if users > 1:
                self._locks[key] = (mutex, users - 1)
            else:
                del self._locks[key]


def _await_turn(mutex: threading.Lock, call: ServedCall) -> bool:
    """Take `mutex`; False when the call's limit has passed, or its caller went away meanwhile:
    what it wanted then might be against what its successor has wanted since."""
    if mutex.acquire(blocking=False):
        return True
    while (left := call.deadline - time.monotonic()) > 0:
        taken = mutex.acquire(timeout=min(left, _LOOK_SECONDS))
        if call.abandoned:
            if taken:
                mutex.release()
            return False
        if taken:
            return True
    return False


def lock_key(lock: Lock, parameters: msgspec.Struct) -> str:
    """Return what identifies `lock` for these parameters; two spellings of a path are one key."""
    if not lock.parameter:
        return lock.name
    path = str(getattr(parameters, lock.parameter))
    return f"{lock.name}:{posixpath.normpath('/' + path.lstrip('/'))}"
