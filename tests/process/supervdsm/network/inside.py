# SPDX-License-Identifier: GPL-2.0-or-later
"""Call functions in another network namespace, by a thread that has entered it (setns(2)).

Sockets that they open stay in that namespace, and /proc/sys/net is its own; sysfs is not.
"""

import ctypes
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Final, ParamSpec, Protocol, TypeVar

_P = ParamSpec("_P")
_T = TypeVar("_T")
_CLONE_NEWNET: Final = 0x4000_0000
_libc = ctypes.CDLL(None, use_errno=True)


class Call(Protocol):
    """Calls a function with its arguments, in the namespace."""

    def __call__(
        self, function: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs
    ) -> _T: ...


@contextmanager
def inside(name: str) -> Iterator[Call]:
    """Give what calls functions in the namespace that `ip netns` knows as `name`."""
    with ThreadPoolExecutor(max_workers=1, initializer=_enter, initargs=(name,)) as thread:

        def call(function: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
            return thread.submit(function, *args, **kwargs).result()

        yield call


def _enter(name: str) -> None:
    with Path("/run/netns", name).open() as file:
        if _libc.setns(file.fileno(), _CLONE_NEWNET):
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code), name)
