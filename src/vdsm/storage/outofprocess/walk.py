# SPDX-License-Identifier: GPL-2.0-or-later
"""The way to a file below a root, component by component, so that nothing leads out of it.

A path is bytes, as the kernel has it, and relative to a root that is trusted. Others may write on
the storage at any time: each component is opened below the one before (path_resolution(7), open(2):
O_NOFOLLOW), so that a symbolic link is never followed, not even one that is put there meanwhile.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager

_DIRECTORY = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC

# A FIFO or a device in place of a file must not block.
_SAFE = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


class RefusedPath(Exception):
    """A path that leads out of its root, or meets a symbolic link."""

    def __init__(self, path: bytes, why: str) -> None:
        super().__init__(path, why)
        self.path = path
        self.why = why


def components(path: bytes) -> list[bytes]:
    """The names on the way; none for the root itself (`.`). Raises RefusedPath."""
    if path.startswith(b"/"):
        raise RefusedPath(path, "is absolute")
    names = [name for name in path.split(b"/") if name not in (b"", b".")]
    if b".." in names:
        raise RefusedPath(path, "has a component '..'")
    if b"\0" in path:
        raise RefusedPath(path, "has a NUL character")
    if not path:
        raise RefusedPath(path, "is empty")
    return names


@contextmanager
def directory(root: bytes, path: bytes) -> Iterator[int]:
    """Holds the directory `path` open, for use as a `dir_fd`. Raises OSError and RefusedPath."""
    fd = _descend(root, path, components(path))
    try:
        yield fd
    finally:
        os.close(fd)


@contextmanager
def parent(root: bytes, path: bytes) -> Iterator[tuple[int, bytes]]:
    """Holds the directory that `path` is in; with its last name. Raises OSError and RefusedPath."""
    names = components(path)
    if not names:
        raise RefusedPath(path, "is the root itself")
    fd = _descend(root, path, names[:-1])
    try:
        yield fd, names[-1]
    finally:
        os.close(fd)


@contextmanager
def file(root: bytes, path: bytes, flags: int, mode: int = 0) -> Iterator[int]:
    """Holds a regular file open. Raises OSError (EISDIR, EINVAL for what is none) and RefusedPath.
    With O_CREAT the mode is what it says, whatever the umask is."""
    with parent(root, path) as (above, name):
        fd = open_file(above, name, path, flags, mode)
        try:
            yield fd
        finally:
            os.close(fd)


def open_file(above: int, name: bytes, path: bytes, flags: int, mode: int = 0) -> int:
    """Opens a regular file that is in the directory `above`; `path` is for the message."""
    try:
        fd = os.open(name, flags | _SAFE, mode, dir_fd=above)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise RefusedPath(path, "is a symbolic link") from None
        raise OSError(error.errno, error.strerror, path) from None
    try:
        kind = os.fstat(fd).st_mode
        if not stat.S_ISREG(kind):
            number = errno.EISDIR if stat.S_ISDIR(kind) else errno.EINVAL
            raise OSError(number, os.strerror(number), path)
        if flags & os.O_CREAT:
            os.fchmod(fd, mode)
    except BaseException:
        os.close(fd)
        raise
    return fd


def open_directory(above: int, name: bytes, path: bytes) -> int:
    """Opens the directory `name` in `above` as a place on the way (O_PATH)."""
    try:
        return os.open(name, _DIRECTORY, dir_fd=above)
    except OSError as error:
        if error.errno == errno.ENOTDIR and _is_link(above, name):
            raise RefusedPath(path, "has a symbolic link on its way") from None
        raise OSError(error.errno, error.strerror, path) from None


def _descend(root: bytes, path: bytes, names: list[bytes]) -> int:
    fd = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    for name in names:
        try:
            below = open_directory(fd, name, path)
        finally:
            os.close(fd)
        fd = below
    return fd


def _is_link(above: int, name: bytes) -> bool:
    try:
        return stat.S_ISLNK(os.lstat(name, dir_fd=above).st_mode)
    except OSError:
        return False
