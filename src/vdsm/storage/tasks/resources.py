# SPDX-License-Identifier: GPL-2.0-or-later
"""Locks within this host: who works on a pool, a domain, an image or a volume.

A resource is held by one, or shared by several. Who asks first gets it first: one who wants it
alone waits for those who share it now, and those who come later wait behind. Nothing here is on
the disk: another host is kept off by the SPM's lease, and a lock ends with its process.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Final

from vdsm.storage import errors
from vdsm.storage.protocols import Resource

TIMEOUT_S: Final = 120.0
"""How long one waits for a resource: oVirt's task_resource_default_timeout."""

_Key = tuple[str, ...]


@dataclass(eq=False, slots=True)
class _Waiter:
    """One who asked, in the order of asking."""

    exclusive: bool


@dataclass(slots=True)
class _State:
    """Who holds a resource and who waits for it; it is there while somebody does either."""

    sharing: int = 0
    exclusive: bool = False
    waiting: deque[_Waiter] = field(default_factory=deque)

    def is_free_for(self, waiter: _Waiter) -> bool:
        if self.waiting[0] is not waiter or self.exclusive:
            return False
        return not (waiter.exclusive and self.sharing)

    @property
    def is_unused(self) -> bool:
        return not (self.sharing or self.exclusive or self.waiting)


class ResourceLocks:
    """vdsm.storage.protocols.Resources. For any thread; one that holds a resource must not ask for
    it again, it would wait for itself until the time is over."""

    def __init__(self, timeout_s: float = TIMEOUT_S) -> None:
        self._timeout_s = timeout_s
        self._changed = threading.Condition()
        self._states: dict[_Key, _State] = {}

    @contextmanager
    def holding(self, *resources: Resource, timeout: float | None = None) -> Iterator[None]:
        """Holds all of them within the block; one that is named twice is held once, alone if one
        of the two says so. Raises ResourceTimeout that names the one that is busy."""
        limit = self._timeout_s if timeout is None else timeout
        deadline = time.monotonic() + limit
        with ExitStack() as held:
            for key, exclusive in _in_order(resources):
                self._acquire(key, exclusive, deadline, limit)
                held.callback(self._release, key, exclusive)
            yield

    def is_held(self, resource: Resource) -> bool:
        """Whether somebody holds it now."""
        with self._changed:
            state = self._states.get(resource.key)
            return state is not None and bool(state.exclusive or state.sharing)

    def _acquire(self, key: _Key, exclusive: bool, deadline: float, limit: float) -> None:
        waiter = _Waiter(exclusive)
        with self._changed:
            state = self._states.setdefault(key, _State())
            state.waiting.append(waiter)
            try:
                if not self._changed.wait_for(
                    lambda: state.is_free_for(waiter), max(0.0, deadline - time.monotonic())
                ):
                    raise errors.ResourceTimeout(f"{_name(key)} was not free within {limit:g} s")
                if exclusive:
                    state.exclusive = True
                else:
                    state.sharing += 1
            finally:
                # Those behind may be free to go: the next to share, or all when this one gave up.
                state.waiting.remove(waiter)
                self._settle(key, state)

    def _release(self, key: _Key, exclusive: bool) -> None:
        with self._changed:
            state = self._states[key]
            if exclusive:
                state.exclusive = False
            else:
                state.sharing -= 1
            self._settle(key, state)

    def _settle(self, key: _Key, state: _State) -> None:
        if state.is_unused:
            del self._states[key]
        self._changed.notify_all()


def _in_order(resources: tuple[Resource, ...]) -> list[tuple[_Key, bool]]:
    """Each key once, in the one order that everybody takes them in."""
    wanted: dict[_Key, bool] = {}
    for resource in resources:
        wanted[resource.key] = wanted.get(resource.key, False) or resource.exclusive
    return sorted(wanted.items())


def _name(key: _Key) -> str:
    return " ".join((key[0], "/".join(key[1:])))
