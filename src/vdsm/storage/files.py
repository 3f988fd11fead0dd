# SPDX-License-Identifier: GPL-2.0-or-later
"""File operations on storage that may be slow or dead: what is offered, not how it is done.

`vdsm.storage.outofprocess` does each operation in a worker process that can be abandoned when the
kernel holds it. A path is relative to the root of its `Files`; one that is absolute, has `..`, or
meets a symbolic link on its way is refused with errors.InvalidParameter. All methods raise OSError
with the errno of the operation, and errors.StorageDomainAccessError when it did not end in time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from vdsm.storage.layout import DIRECTORY_MODE, FILE_MODE


@dataclass(frozen=True, slots=True)
class FileStat:
    """lstat(2): `kind` is "file", "directory", "link" or "other"; `allocated` is st_blocks in
    bytes; times are in seconds since 1970."""

    kind: str
    size: int
    allocated: int
    mode: int
    uid: int
    gid: int
    mtime: float
    ctime: float
    inode: int


@dataclass(frozen=True, slots=True)
class Space:
    """statvfs(3), in bytes: `available` is what one who is not root may use."""

    total: int
    free: int
    available: int


class Files(Protocol):
    """The operations below one directory. For any thread; each call has the limit of its domain."""

    @property
    def root(self) -> Path:
        """The directory that paths are relative to."""

    def below(self, path: str) -> Files:
        """The same worker processes, with `path` below this root as the root."""

    def read(self, path: str, limit: int = 1 << 20) -> bytes:
        """A whole file. More than `limit` bytes: OSError EFBIG."""

    def read_many(self, paths: Sequence[str], limit: int = 1 << 16) -> list[bytes | None]:
        """Many small files in one go; None for one that is not there."""

    def write(self, path: str, data: bytes, mode: int = FILE_MODE) -> None:
        """Replaces a file atomically and durably: a new file, fsync, rename, fsync of the
        directory. A kill leaves the old contents or the new, and at most a `.new` file."""

    def read_at(self, path: str, offset: int, size: int, *, direct: bool = True) -> bytes:
        """`size` bytes from `offset`, past the page cache unless `direct` is false (then offset and
        size need no alignment). Shorter at the end of the file."""

    def write_at(self, path: str, offset: int, data: bytes, *, direct: bool = True) -> None:
        """Overwrites part of a file in place, past the page cache, durably."""

    def create(self, path: str, size: int = 0, mode: int = FILE_MODE) -> None:
        """A new file of zeros (sparse), durably. FileExistsError when it is there."""

    def truncate(self, path: str, size: int) -> None: ...

    def allocate(self, path: str, offset: int, size: int) -> None:
        """fallocate(2); where the file system has none, zeros are written."""

    def find(self, suffix: str, path: str = ".", depth: int = 1) -> list[str]:
        """All below `path` to a depth whose names end with `suffix`, by their path relative to it,
        in one go and without looking at each."""

    def list(self, path: str = ".") -> list[str]:
        """The names in a directory, sorted."""

    def scan(self, path: str = ".", depth: int = 1) -> dict[str, FileStat]:
        """All below `path` to a depth, by their path relative to it, with lstat(2), in one go."""

    def stat(self, path: str) -> FileStat: ...

    def exists(self, path: str) -> bool: ...

    def mkdir(self, path: str, mode: int = DIRECTORY_MODE, *, parents: bool = False) -> None:
        """With this mode whatever the umask is. FileExistsError when it is there."""

    def rename(self, source: str, target: str) -> None:
        """Renames durably; replaces a file that is there."""

    def link(self, source: str, target: str) -> None:
        """A hard link, as for the volume of a template."""

    def unlink(self, path: str, *, missing_ok: bool = False) -> None:
        """Removes a file, durably."""

    def rmdir(self, path: str) -> None: ...

    def remove_tree(self, path: str) -> None:
        """Removes a directory and all in it; nothing when it is not there. Follows no link."""

    def chmod(self, path: str, mode: int) -> None: ...

    def sync(self, path: str) -> None:
        """fsync(2) of a file or a directory."""

    def space(self) -> Space: ...

    def probe_block_size(self, path: str) -> int:
        """The smallest direct write that the file system takes: 512 or 4096."""

    def read_delay(self, path: str) -> float:
        """Reads the first 4096 bytes past the page cache; how long that took, in seconds."""


class FileSystems(Protocol):
    """The `Files` of each mount. For any thread."""

    def at(self, root: Path) -> Files:
        """The files below a mount (a directory in /rhev/data-center/mnt) or below another root; the
        same workers for the same root."""

    def drop(self, root: Path) -> None:
        """Ends the workers of a root: it is being unmounted. Those that the kernel holds are left
        behind and reaped when it lets them go."""

    def close(self) -> None:
        """Ends all workers."""
