# SPDX-License-Identifier: GPL-2.0-or-later
"""Paths that vdsm names: what they may look like, and how to walk them without being led astray.

Whoever may write below the root can swap a directory for a symbolic link at any time, so a path is
never checked first and used by name afterwards. It is walked once, by openat2(2), which refuses
links and ways out, and what it ends at is held by a descriptor (O_PATH).
"""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from supervdsm.policy import syscalls
from vdsm_contract.errors import InvalidArgument

_NAME_MAX: Final = 255
_PATH_MAX: Final = 4096
"""linux/limits.h; PATH_MAX counts the closing NUL."""

_STRAIGHT: Final = (
    syscalls.RESOLVE_BENEATH | syscalls.RESOLVE_NO_SYMLINKS | syscalls.RESOLVE_NO_MAGICLINKS
)
_DIRECTORY: Final = os.O_PATH | os.O_DIRECTORY


@dataclass(frozen=True)
class Entry:
    """A name in a directory that is held open: no one can move it elsewhere by swapping a link.

    `path` is what the kernel calls it now.
    """

    parent: int
    name: str

    @property
    def path(self) -> str:
        directory = Path(f"/proc/self/fd/{self.parent}").readlink()
        return str(directory / self.name)


def absolute(path: str, *, field: str) -> str:
    """Return `path` if it is absolute and written in the one normal way.

    Only one spelling of a path is accepted, so that a lock or a log that goes by the path
    can not be dodged with another one.
    """
    printable(path, field=field)
    if len(os.fsencode(path)) >= _PATH_MAX:
        raise InvalidArgument(field, "the path is too long")
    if not path.startswith("/"):
        raise InvalidArgument(field, "the path is not absolute")
    components = path.split("/")[1:]
    if any(part in {"", ".", ".."} for part in components) and path != "/":
        raise InvalidArgument(field, "the path has an empty component, '.' or '..'")
    if any(len(os.fsencode(part)) > _NAME_MAX for part in components):
        raise InvalidArgument(field, "a component of the path is too long")
    return path


def printable(text: str, *, field: str) -> str:
    """Return `text` if it is not empty and has no control, format or surrogate characters."""
    if not text:
        raise InvalidArgument(field, "is empty")
    if not text.isprintable():
        raise InvalidArgument(field, "has characters that can not be printed")
    return text


def below(path: str, root: Path, *, field: str) -> str:
    """Return `path` relative to `root`, if it is strictly below it. Touches no file."""
    prefix = f"{str(root).rstrip('/')}/"
    if not absolute(path, field=field).startswith(prefix) or path == prefix:
        raise InvalidArgument(field, f"the path is not below {root}")
    return path.removeprefix(prefix)


@contextmanager
def pinned_parent(root: Path, relative: str, *, field: str) -> Iterator[Entry]:
    """Hold the directory that has `relative` (from `below`) open.

    Mounts below `root` are not entered: what a remote server says that a directory is does not
    count, and a dead server can not hang the walk.
    """
    parent, _, name = relative.rpartition("/")
    with _walked(root, parent or ".", _STRAIGHT | syscalls.RESOLVE_NO_XDEV, field) as directory:
        yield Entry(directory, name)


@contextmanager
def pinned_child(entry: Entry, *, field: str) -> Iterator[int]:
    """Hold the directory that `entry` names open, if it is one and nothing is mounted on it."""
    resolve = _STRAIGHT | syscalls.RESOLVE_NO_XDEV
    with _open_directory(entry.parent, entry.name, resolve, field) as directory:
        yield directory


@contextmanager
def pinned_directory(root: Path, relative: str, *, field: str) -> Iterator[int]:
    """Hold the directory `relative` below `root` open; mounts on the way are entered."""
    with _walked(root, relative, _STRAIGHT, field) as directory:
        yield directory


@contextmanager
def _walked(root: Path, relative: str, resolve: int, field: str) -> Iterator[int]:
    try:
        start = os.open(root, _DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise InvalidArgument(field, f"{root}: {error.strerror}") from None
    try:
        with _open_directory(start, relative, resolve, field) as directory:
            yield directory
    finally:
        os.close(start)


@contextmanager
def _open_directory(start: int, relative: str, resolve: int, field: str) -> Iterator[int]:
    try:
        directory = syscalls.openat2(start, relative, flags=_DIRECTORY, resolve=resolve)
    except OSError as error:
        raise InvalidArgument(field, explain(error)) from None
    try:
        yield directory
    finally:
        os.close(directory)


def explain(error: OSError) -> str:
    """Say in words why a walk ended, as openat2(2) has it."""
    reasons = {
        errno.ELOOP: "a symbolic link in the path is not followed",
        errno.EXDEV: "the path leads into another mount",
        errno.ENOTDIR: "a component of the path is not a directory",
        errno.ENOENT: "the path does not exist",
    }
    return reasons.get(error.errno or 0, error.strerror or str(error))
