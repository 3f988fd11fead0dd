# SPDX-License-Identifier: GPL-2.0-or-later
"""Files and links that a power cut leaves as they were or as they shall be, never in between.

Sources: fsync(2), rename(2). Whoever calls holds the lock (`journal.locked`), so the temporary
names are fixed: what a crash left under one is overwritten by the next call.
"""

import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final

from vdsm_tool.errors import ToolError

_LARGEST: Final = 16 * 1024 * 1024
"""Bytes of the largest file that is read; more is no file of ours."""


def make_directory(path: Path, mode: int = 0o755) -> None:
    """Make `path` and what is missing above it; each is on disk at the end."""
    if path.is_dir():
        return
    make_directory(path.parent)
    with suppress(FileExistsError):
        path.mkdir(mode)
    sync_directory(path.parent)


def write(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Put `data` in the place of the file `path`."""
    temporary = path.with_name(f".{path.name}.new")
    temporary.unlink(missing_ok=True)
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    with open(fd, "wb") as file:
        os.fchmod(fd, mode)
        file.write(data)
        file.flush()
        os.fsync(fd)
    temporary.rename(path)
    sync_directory(path.parent)


def read(path: Path) -> bytes | None:
    """Return what is in the file `path`, None when there is none.

    Raises ToolError when it is not a file or far too large.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ToolError(f"{path} cannot be read: {error.strerror}") from error
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise ToolError(f"{path} cannot be read: it is not a file")
        with open(fd, "rb", closefd=False) as file:
            data = file.read(_LARGEST + 1)
    except OSError as error:
        raise ToolError(f"{path} cannot be read: {error.strerror}") from error
    finally:
        os.close(fd)
    if len(data) > _LARGEST:
        raise ToolError(f"{path} is larger than {_LARGEST >> 20} MiB", f"Look at it: {path}")
    return data


def remove(path: Path) -> None:
    """Remove the file `path`, if it is there."""
    with suppress(FileNotFoundError):
        path.unlink()
        sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Bring to disk which names are in the directory `path`."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
