# SPDX-License-Identifier: GPL-2.0-or-later
"""What is used of python3-sanlock, with types, and one kind of error.

The module is a C extension of Debian's, made for one release of Python, so it is imported when it
is first needed. Names of lockspaces and resources are bytes, paths are str; offsets, alignment and
sector are in bytes, `iotimeout` in seconds. Source: sanlock 3.9, python/sanlock.c, sanlock_rv.h.
"""

from __future__ import annotations

import contextlib
import errno
import importlib
from collections.abc import Iterator
from typing import Final, Protocol, TypedDict, cast

SANLK_LEADER_MAGIC: Final = -223
"""There is no resource at this place."""

Disks = list[tuple[str, int]]
"""Path and offset; vdsm's resources have one."""


class ResourceRecord(TypedDict):
    """What a resource says of itself; `version` counts the times that it was acquired."""

    lockspace: bytes
    resource: bytes
    version: int


class HostRecord(TypedDict):
    """A host of a lockspace, or who holds a resource."""

    host_id: int
    generation: int
    timestamp: int
    io_timeout: int
    flags: int


class Binding(Protocol):
    """The functions of the module `sanlock`. All raise its SanlockException."""

    def write_lockspace(
        self, lockspace: bytes, path: str, /, *, iotimeout: int, align: int, sector: int
    ) -> None: ...

    def write_resource(
        self,
        lockspace: bytes,
        resource: bytes,
        disks: Disks,
        /,
        *,
        align: int,
        sector: int,
        clear: bool = False,
    ) -> None: ...

    def add_lockspace(
        self, lockspace: bytes, host_id: int, path: str, /, *, iotimeout: int, wait: bool
    ) -> None: ...

    def inq_lockspace(self, lockspace: bytes, host_id: int, path: str, /) -> bool | None:
        """None: being acquired or released."""

    def rem_lockspace(
        self, lockspace: bytes, host_id: int, path: str, /, *, wait: bool, unused: bool
    ) -> None: ...

    def register(self) -> int: ...

    def acquire(
        self, lockspace: bytes, resource: bytes, disks: Disks, /, *, slkfd: int, lvb: bool = False
    ) -> None: ...

    def release(
        self, lockspace: bytes, resource: bytes, disks: Disks, /, *, slkfd: int
    ) -> None: ...

    def get_lvb(self, lockspace: bytes, resource: bytes, disks: Disks, size: int, /) -> bytes: ...

    def set_lvb(self, lockspace: bytes, resource: bytes, disks: Disks, data: bytes, /) -> None: ...

    def read_resource(
        self, path: str, offset: int, /, *, align: int, sector: int
    ) -> ResourceRecord: ...

    def read_resource_owners(
        self, lockspace: bytes, resource: bytes, disks: Disks, /, *, align: int, sector: int
    ) -> list[HostRecord]: ...


class SanlockError(Exception):
    """sanlock said no. `code` is an errno, or negative: one of sanlock's own."""

    def __init__(self, code: int, text: str) -> None:
        self.code = code
        super().__init__(f"{text} ({code})")


def load() -> Binding:
    """The module. Raises SanlockError (ENOSYS) where it is not installed."""
    try:
        return cast(Binding, importlib.import_module("sanlock"))
    except ImportError as error:
        raise SanlockError(errno.ENOSYS, f"sanlock's library is not here: {error}") from error


@contextlib.contextmanager
def translated(binding: Binding) -> Iterator[None]:
    """Turns the module's own exception into SanlockError."""
    kind: type[Exception] = binding.SanlockException  # type: ignore[attr-defined]
    try:
        yield
    except kind as error:
        code, *texts = error.args
        raise SanlockError(int(code), ": ".join(map(str, texts))) from error
