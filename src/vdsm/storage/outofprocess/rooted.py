# SPDX-License-Identifier: GPL-2.0-or-later
"""`Files` in terms of the operations: paths become bytes, answers become values. How an operation
is run, in a worker process or right here, is for a subclass to say.
"""

from __future__ import annotations

import abc
import os
import stat as modes
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import ParamSpec, Self, TypeVar

from vdsm.storage import errors, side_by_side
from vdsm.storage.files import FileStat, Space
from vdsm.storage.layout import DIRECTORY_MODE, FILE_MODE
from vdsm.storage.outofprocess import operations, walk
from vdsm.storage.outofprocess.walk import RefusedPath

P = ParamSpec("P")
R = TypeVar("R")

# Files of one operation, so that many on a far server do not reach its limit; how long a near one
# may take for them, and how many operations read from a far one at a time.
_BATCH = 1000
_SLOW_S = 1.0
_AT_A_TIME = 4

_KINDS = {modes.S_IFREG: "file", modes.S_IFDIR: "directory", modes.S_IFLNK: "link"}


class RootedFiles(abc.ABC):
    """Keeps the protocol `Files`. `mount` is trusted, `prefix` below it is walked like a path."""

    def __init__(self, mount: Path, prefix: str = ".") -> None:
        self._mount = mount
        self._prefix = prefix
        self._root = os.fsencode(mount)

    @abc.abstractmethod
    def _run(self, operation: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Runs one of `operations.TABLE`; `kwargs` are never given. Raises what it raises."""

    @abc.abstractmethod
    def _at(self, mount: Path, prefix: str) -> Self:
        """The same for another prefix."""

    @property
    def root(self) -> Path:
        return self._mount / self._prefix

    def below(self, path: str) -> Self:
        return self._at(self._mount, os.fsdecode(self._path(path)))

    def read(self, path: str, limit: int = 1 << 20) -> bytes:
        with self._translated():
            return self._run(operations.read, self._root, self._path(path), limit)

    def read_many(self, paths: Sequence[str], limit: int = 1 << 16) -> list[bytes | None]:
        wanted = [self._path(path) for path in paths]
        batches = [wanted[start : start + _BATCH] for start in range(0, len(wanted), _BATCH)]
        found: list[bytes | None] = []

        def read(batch: Sequence[bytes]) -> list[bytes | None]:
            with self._translated():
                return self._run(operations.read_many, self._root, batch, limit)

        while batches:
            began = time.monotonic()
            found += read(batches.pop(0))
            if time.monotonic() - began > _SLOW_S:  # it is the way to the server that takes time
                for part in side_by_side.each(read, batches, _AT_A_TIME):
                    found += part
                break
        return found

    def write(self, path: str, data: bytes, mode: int = FILE_MODE) -> None:
        with self._translated():
            self._run(operations.write, self._root, self._path(path), data, mode)

    def read_at(self, path: str, offset: int, size: int, *, direct: bool = True) -> bytes:
        with self._translated():
            return self._run(operations.read_at, self._root, self._path(path), offset, size, direct)

    def write_at(self, path: str, offset: int, data: bytes, *, direct: bool = True) -> None:
        with self._translated():
            self._run(operations.write_at, self._root, self._path(path), offset, data, direct)

    def create(self, path: str, size: int = 0, mode: int = FILE_MODE) -> None:
        with self._translated():
            self._run(operations.create, self._root, self._path(path), size, mode)

    def truncate(self, path: str, size: int) -> None:
        with self._translated():
            self._run(operations.truncate, self._root, self._path(path), size)

    def allocate(self, path: str, offset: int, size: int) -> None:
        with self._translated():
            self._run(operations.allocate, self._root, self._path(path), offset, size)

    def find(self, suffix: str, path: str = ".", depth: int = 1) -> list[str]:
        with self._translated():
            found = self._run(
                operations.find, self._root, self._path(path), os.fsencode(suffix), depth
            )
        return [os.fsdecode(name) for name in found]

    def list(self, path: str = ".") -> list[str]:
        with self._translated():
            found = self._run(operations.names, self._root, self._path(path))
        return [os.fsdecode(name) for name in found]

    def scan(self, path: str = ".", depth: int = 1) -> dict[str, FileStat]:
        with self._translated():
            found = self._run(operations.scan, self._root, self._path(path), depth)
        return {os.fsdecode(name): _file_stat(stat) for name, stat in found.items()}

    def stat(self, path: str) -> FileStat:
        with self._translated():
            return _file_stat(self._run(operations.stat, self._root, self._path(path)))

    def exists(self, path: str) -> bool:
        with self._translated():
            return self._run(operations.exists, self._root, self._path(path))

    def mkdir(self, path: str, mode: int = DIRECTORY_MODE, *, parents: bool = False) -> None:
        with self._translated():
            self._run(operations.mkdir, self._root, self._path(path), mode, parents)

    def rename(self, source: str, target: str) -> None:
        with self._translated():
            self._run(operations.rename, self._root, self._path(source), self._path(target))

    def link(self, source: str, target: str) -> None:
        with self._translated():
            self._run(operations.link, self._root, self._path(source), self._path(target))

    def unlink(self, path: str, *, missing_ok: bool = False) -> None:
        with self._translated():
            self._run(operations.unlink, self._root, self._path(path), missing_ok)

    def rmdir(self, path: str) -> None:
        with self._translated():
            self._run(operations.rmdir, self._root, self._path(path))

    def remove_tree(self, path: str) -> None:
        with self._translated():
            self._run(operations.remove_tree, self._root, self._path(path))

    def chmod(self, path: str, mode: int) -> None:
        with self._translated():
            self._run(operations.chmod, self._root, self._path(path), mode)

    def sync(self, path: str) -> None:
        with self._translated():
            self._run(operations.sync, self._root, self._path(path))

    def space(self) -> Space:
        with self._translated():
            return Space(*self._run(operations.space, self._root, self._path(".")))

    def probe_block_size(self, path: str) -> int:
        with self._translated():
            return self._run(operations.probe_block_size, self._root, self._path(path))

    def read_delay(self, path: str) -> float:
        with self._translated():
            return self._run(operations.read_delay, self._root, self._path(path))

    def _path(self, path: str) -> bytes:
        """A path from the mount. It is checked alone first: the prefix must not hide what it is."""
        try:
            names = walk.components(os.fsencode(path))
        except (RefusedPath, UnicodeEncodeError) as refused:
            why = refused.why if isinstance(refused, RefusedPath) else "is not a file name"
            raise errors.InvalidParameter("path", f"{path!r:.200} {why}") from None
        prefix = [] if self._prefix == "." else [os.fsencode(self._prefix)]
        return b"/".join(prefix + names) or b"."

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except RefusedPath as refused:
            place = self._mount / os.fsdecode(refused.path)
            raise errors.InvalidParameter("path", f"{str(place)!r:.400} {refused.why}") from None
        except OSError as error:
            name = error.filename
            if isinstance(name, bytes):
                error.filename = str(self._mount / os.fsdecode(name))
            raise


def _file_stat(found: operations.Stat) -> FileStat:
    mode, size, allocated, uid, gid, mtime, ctime, inode = found
    kind = _KINDS.get(modes.S_IFMT(mode), "other")
    return FileStat(kind, size, allocated, modes.S_IMODE(mode), uid, gid, mtime, ctime, inode)
