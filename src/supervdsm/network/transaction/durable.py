# SPDX-License-Identifier: GPL-2.0-or-later
"""Files that survive a power cut, and files that somebody else may have put there.

A file is written beside its place, flushed, and renamed over it, and then its directory is flushed:
a reader finds the old content or the new, whenever the power goes. Sources: fsync(2), syncfs(2),
rename(2) and renameat2(2).
"""

import ctypes
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

MODE: Final = 0o644
"""Of a file. vdsm, which is not root, reads the configuration."""
_RENAME_EXCHANGE: Final = 2
_AT_FDCWD: Final = -100
_FEW: Final = 16
"""So many files are flushed one by one. For more it takes less time to flush the whole filesystem
once, with whatever else waits there; the network is not yet touched then."""

_libc = ctypes.CDLL(None, use_errno=True)


class Untrusted(OSError):
    """Somebody other than root could have written this file or directory."""


def replace(path: Path, content: bytes, *, check: Callable[[], None] = lambda: None) -> None:
    """Put `content` at `path` as a whole. `check` is asked last, and may raise to leave all as it
    was. Raises OSError.
    """
    new = beside(path)
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    fd = os.open(new, flags, 0o600)
    try:
        try:
            _write(fd, content)
            os.fsync(fd)
        finally:
            os.close(fd)
        check()
        new.rename(path)
    except BaseException:
        # On a disk that is full it would take what is left.
        with suppress(OSError):
            new.unlink()
        raise
    flush_directory(path.parent)


def beside(path: Path) -> Path:
    """Return where the new content of `path` is written before it is renamed."""
    return path.with_name(f"{path.name}.new")


def remove(path: Path) -> None:
    """Remove a file for good; one that is gone already is no error. Raises OSError."""
    path.unlink(missing_ok=True)
    flush_directory(path.parent)


def make_directory(path: Path, mode: int) -> None:
    """Make a directory, and those above it (0755), so that they last; it may be there already.
    Raises OSError."""
    if path.is_dir():
        return
    make_directory(path.parent, 0o755)
    path.mkdir(mode, exist_ok=True)
    flush_directory(path.parent)


def flush_directory(path: Path) -> None:
    """Make the names in a directory last. Raises OSError."""
    with opened(path) as fd:
        os.fsync(fd)


def write_all(directory: Path, files: Iterable[tuple[str, bytes]]) -> None:
    """Make new files in a new directory, and flush them and the directory. Raises OSError."""
    directory.mkdir()
    directory.chmod(0o755)  # whatever the umask
    contents = list(files)
    few = len(contents) <= _FEW
    with opened(directory) as parent:
        for name, content in contents:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            fd = os.open(name, flags, MODE, dir_fd=parent)
            try:
                os.fchmod(fd, MODE)
                _write(fd, content)
                if few:
                    os.fsync(fd)
            finally:
                os.close(fd)
        if few:
            os.fsync(parent)
        else:
            _flush_filesystem(parent)


def _write(fd: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(fd, view) :]


def _flush_filesystem(fd: int) -> None:
    """Flush all of the filesystem that `fd` is on: syncfs(2)."""
    if _libc.syncfs(fd) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def switch_link(link: Path, target: str) -> None:
    """Make `link` a symbolic link to `target` in one step, whatever it was; a directory that stood
    there stays, as `TARGET.ln`. Raises OSError.
    """
    new = link.with_name(f"{target}.ln")
    if new.is_symlink():
        new.unlink()  # of one that was killed here
    new.symlink_to(target)
    if link.is_dir() and not link.is_symlink():
        _exchange(new, link)
    else:
        new.rename(link)
    flush_directory(link.parent)


def _exchange(one: Path, other: Path) -> None:
    paths = os.fsencode(one), os.fsencode(other)
    if _libc.renameat2(_AT_FDCWD, paths[0], _AT_FDCWD, paths[1], _RENAME_EXCHANGE) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), str(other))


@contextmanager
def opened(path: str | Path, parent: int | None = None) -> Iterator[int]:
    """Hold a directory open, itself and not one that a link leads to. Raises OSError."""
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    fd = os.open(path, flags, dir_fd=parent)
    try:
        yield fd
    finally:
        os.close(fd)


def names(directory: int) -> list[str]:
    """Return the names in an open directory, sorted. Raises OSError."""
    with os.scandir(directory) as entries:
        return sorted(entry.name for entry in entries)


def require_root_s(fd: int, what: str) -> None:
    """Raise Untrusted unless what `fd` is can be changed by root (or by us) alone."""
    status = os.fstat(fd)
    if status.st_uid not in {0, os.geteuid()}:
        raise Untrusted(f"{what} belongs to uid {status.st_uid}, not to root")
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise Untrusted(f"{what} can be written by others than root")


def read(name: str | Path, parent: int | None = None, *, most: int) -> bytes:
    """Return the content of root's regular file, of at most `most` bytes.

    A link is not followed and a FIFO does not hold us. Raises OSError, Untrusted among them.
    """
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    fd = os.open(name, flags, dir_fd=parent)
    with open(fd, "rb") as file:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise OSError(f"{name} is not a regular file")
        require_root_s(fd, str(name))
        content = file.read(most + 1)
    if len(content) > most:
        raise OSError(f"{name} is larger than {most} bytes")
    return content
