# SPDX-License-Identifier: GPL-2.0-or-later
"""The file operations that a worker process makes, as plain functions: `vdsm.storage.files` has
what each one promises. Only the standard library's quick part is imported: workers start often.

`root` is an absolute directory, `path` relative to it; both are bytes. All raise OSError with
`path` as its file name, and RefusedPath.
"""

from __future__ import annotations

import errno
import mmap
import os
import stat as modes
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TypeAlias

from vdsm.storage.outofprocess.walk import (
    RefusedPath,
    components,
    directory,
    file,
    open_directory,
    open_file,
    parent,
)

Stat = tuple[int, int, int, int, int, float, float, int]
"""st_mode, st_size, bytes in st_blocks, st_uid, st_gid, st_mtime, st_ctime, st_ino."""

_CHUNK = 1 << 20
_BLOCK_SIZES = (512, 4096)
_READ_DELAY_SIZE = 4096

# What a file system says that takes no O_DIRECT, or has no fallocate(2).
_UNSUPPORTED = frozenset({errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS})


# --- whole files ----------------------------------------------------------------------------------


def read(root: bytes, path: bytes, limit: int) -> bytes:
    with file(root, path, os.O_RDONLY) as fd:
        return _read_whole(fd, path, limit)


def read_many(root: bytes, paths: Sequence[bytes], limit: int) -> list[bytes | None]:
    return [_read_if_there(root, path, limit) for path in paths]


def _read_if_there(root: bytes, path: bytes, limit: int) -> bytes | None:
    try:
        return read(root, path, limit)
    except FileNotFoundError:
        return None


def _read_whole(fd: int, path: bytes, limit: int) -> bytes:
    parts = []
    left = limit + 1
    while left and (part := os.read(fd, min(left, _CHUNK))):
        parts.append(part)
        left -= len(part)
    if not left:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), path)
    return b"".join(parts)


def write(root: bytes, path: bytes, data: bytes, mode: int) -> None:
    with parent(root, path) as (above, name):
        fresh = name + b".new"
        with suppress(FileNotFoundError):
            os.unlink(fresh, dir_fd=above)  # what a kill left
        try:
            fd = open_file(above, fresh, path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
            try:
                _write_whole(fd, data)
                os.fsync(fd)
            finally:
                os.close(fd)
            os.rename(fresh, name, src_dir_fd=above, dst_dir_fd=above)
        except OSError as error:
            with suppress(OSError):
                os.unlink(fresh, dir_fd=above)
            raise _named(error, path) from None
        _sync_directory(above)


def _write_whole(fd: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(fd, rest) :]


def create(root: bytes, path: bytes, size: int, mode: int) -> None:
    with parent(root, path) as (above, name):
        fd = open_file(above, name, path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        try:
            os.ftruncate(fd, size)
            os.fsync(fd)
        except OSError as error:
            with suppress(OSError):
                os.unlink(name, dir_fd=above)
            raise _named(error, path) from None
        finally:
            os.close(fd)
        _sync_directory(above)


def truncate(root: bytes, path: bytes, size: int) -> None:
    with _named_errors(path), file(root, path, os.O_WRONLY) as fd:
        os.ftruncate(fd, size)
        os.fsync(fd)


def allocate(root: bytes, path: bytes, offset: int, size: int) -> None:
    # glibc falls back to one byte in each block, which is slow and is lost beside a writer.
    with _named_errors(path), file(root, path, os.O_RDWR) as fd:
        number = _fallocate(fd, offset, size)
        if number in _UNSUPPORTED and offset >= 0 and size > 0:
            _write_zeros(fd, offset, size)
        elif number:
            raise OSError(number, os.strerror(number))
        os.fsync(fd)


def _fallocate(fd: int, offset: int, size: int) -> int:
    """fallocate(2); its errno."""
    import ctypes  # only here: a worker that allocates nothing starts sooner

    libc = ctypes.CDLL(None, use_errno=True)
    failed = libc.fallocate(fd, 0, ctypes.c_int64(offset), ctypes.c_int64(size))
    return ctypes.get_errno() if failed else 0


def _write_zeros(fd: int, offset: int, size: int) -> None:
    """Writes what is zero in the range already, and so allocates it."""
    end = offset + size
    while offset < end:
        step = min(_CHUNK, end - offset)
        there = os.pread(fd, step, offset)
        # Blocks with data are allocated already.
        unit = _BLOCK_SIZES[-1] if there.strip(b"\0") else step
        for start in range(0, step, unit):
            if not there[start : start + unit].strip(b"\0"):
                os.pwrite(fd, bytes(min(unit, step - start)), offset + start)
        offset += step


# --- parts of files -------------------------------------------------------------------------------


def read_at(root: bytes, path: bytes, offset: int, size: int, direct: bool) -> bytes:
    with _named_errors(path), _opened(root, path, os.O_RDONLY, direct) as fd:
        return _read_aligned(fd, offset, size)


def _read_aligned(fd: int, offset: int, size: int) -> bytes:
    if size == 0:
        return b""
    with mmap.mmap(-1, size) as buffer:  # aligned to a page
        view = memoryview(buffer)
        try:
            done = 0
            while done < size and (count := os.preadv(fd, [view[done:]], offset + done)):
                done += count
                if count % _BLOCK_SIZES[0]:
                    break  # the end of the file; a direct read may not go on from here
            return bytes(view[:done])
        finally:
            view.release()


def write_at(root: bytes, path: bytes, offset: int, data: bytes, direct: bool) -> None:
    with _named_errors(path), _opened(root, path, os.O_WRONLY, direct) as fd:
        _write_aligned(fd, offset, data)
        os.fsync(fd)


def _write_aligned(fd: int, offset: int, data: bytes) -> None:
    if not data:
        return
    with mmap.mmap(-1, len(data)) as buffer:
        buffer.write(data)
        view = memoryview(buffer)
        try:
            done = 0
            while done < len(data):
                done += os.pwritev(fd, [view[done:]], offset + done)
        finally:
            view.release()


@contextmanager
def _opened(root: bytes, path: bytes, flags: int, direct: bool) -> Iterator[int]:
    """Opens a file past the page cache where the file system has that, else through it."""
    with parent(root, path) as (above, name):
        try:
            fd = open_file(above, name, path, flags | (os.O_DIRECT if direct else 0))
        except OSError as error:
            if not direct or error.errno != errno.EINVAL:
                raise
            fd = open_file(above, name, path, flags)  # such as tmpfs of older kernels
        try:
            yield fd
        finally:
            os.close(fd)


def probe_block_size(root: bytes, path: bytes) -> int:
    """`path` is a file of the caller's to write in; its begin becomes zeros."""
    with _named_errors(path), _opened(root, path, os.O_WRONLY, True) as fd:
        for size in _BLOCK_SIZES:
            try:
                _write_aligned(fd, 0, bytes(size))
            except OSError as error:
                if error.errno != errno.EINVAL or size == _BLOCK_SIZES[-1]:
                    raise
            else:
                return size
    raise AssertionError("unreachable")


def read_delay(root: bytes, path: bytes) -> float:
    begun = time.monotonic()
    read_at(root, path, 0, _READ_DELAY_SIZE, True)
    return time.monotonic() - begun


# --- names ----------------------------------------------------------------------------------------


def names(root: bytes, path: bytes) -> list[bytes]:
    with directory(root, path) as place:
        fd = _readable(place, path)
        try:
            return sorted(map(os.fsencode, os.listdir(fd)))  # noqa: PTH208 - a descriptor
        finally:
            os.close(fd)


def scan(root: bytes, path: bytes, depth: int) -> dict[bytes, Stat]:
    found: dict[bytes, Stat] = {}

    def look(name: bytes, entry: os.DirEntry[str]) -> None:
        with suppress(FileNotFoundError):  # removed meanwhile
            found[name] = _stat(entry.stat(follow_symlinks=False))

    with directory(root, path) as place:
        _walk(place, path, b"", depth, look)
    return found


def find(root: bytes, path: bytes, suffix: bytes, depth: int) -> list[bytes]:
    found: list[bytes] = []

    def look(name: bytes, _entry: os.DirEntry[str]) -> None:
        if name.endswith(suffix):
            found.append(name)

    with directory(root, path) as place:
        _walk(place, path, b"", depth, look)
    return found


_Look: TypeAlias = Callable[[bytes, "os.DirEntry[str]"], None]


def _walk(place: int, path: bytes, prefix: bytes, depth: int, look: _Look) -> None:
    """Shows `look` all below a place to a depth, with the path of each relative to the first."""
    fd = _readable(place, path)
    try:
        below = []
        with os.scandir(fd) as entries:
            for entry in entries:
                name = os.fsencode(entry.name)
                look(prefix + name, entry)
                if depth > 1 and entry.is_dir(follow_symlinks=False):
                    below.append(name)
        for name in below:
            try:
                inner = open_directory(fd, name, path + b"/" + prefix + name)
            except (FileNotFoundError, NotADirectoryError, RefusedPath):
                continue  # removed or replaced meanwhile
            try:
                _walk(inner, path, prefix + name + b"/", depth - 1, look)
            finally:
                os.close(inner)
    finally:
        os.close(fd)


def _readable(place: int, path: bytes) -> int:
    """Opens a place (O_PATH) once more, for its names to be read."""
    try:
        return os.open(b".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=place)
    except OSError as error:
        raise _named(error, path) from None


def stat(root: bytes, path: bytes) -> Stat:
    with _entry(root, path) as fd:
        return _stat(os.fstat(fd))


def exists(root: bytes, path: bytes) -> bool:
    try:
        with _entry(root, path):
            return True
    except (FileNotFoundError, NotADirectoryError):
        return False


@contextmanager
def _entry(root: bytes, path: bytes) -> Iterator[int]:
    """Holds what has the name, whatever it is, a link itself too (O_PATH)."""
    if path == b".":
        with directory(root, path) as fd:
            yield fd
        return
    with parent(root, path) as (above, name):
        try:
            fd = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=above)
        except OSError as error:
            raise _named(error, path) from None
        try:
            yield fd
        finally:
            os.close(fd)


def _stat(found: os.stat_result) -> Stat:
    return (
        found.st_mode,
        found.st_size,
        found.st_blocks * 512,
        found.st_uid,
        found.st_gid,
        found.st_mtime,
        found.st_ctime,
        found.st_ino,
    )


def mkdir(root: bytes, path: bytes, mode: int, parents: bool) -> None:
    if parents:
        steps = components(path)
        for end in range(1, len(steps)):
            with suppress(FileExistsError):
                mkdir(root, b"/".join(steps[:end]), mode, False)
    with _named_errors(path), parent(root, path) as (above_fd, name):
        os.mkdir(name, mode, dir_fd=above_fd)
        fd = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=above_fd)
        try:
            os.fchmod(fd, mode)
            os.fsync(fd)
        finally:
            os.close(fd)
        _sync_directory(above_fd)


def rename(root: bytes, source: bytes, target: bytes) -> None:
    with parent(root, source) as (old, old_name), parent(root, target) as (new, new_name):
        with _named_errors(source):
            os.rename(old_name, new_name, src_dir_fd=old, dst_dir_fd=new)
        _sync_directory(new)
        _sync_directory(old)


def link(root: bytes, source: bytes, target: bytes) -> None:
    with parent(root, source) as (old, old_name), parent(root, target) as (new, new_name):
        with _named_errors(target):
            os.link(old_name, new_name, src_dir_fd=old, dst_dir_fd=new, follow_symlinks=False)
        _sync_directory(new)


def unlink(root: bytes, path: bytes, missing_ok: bool) -> None:
    try:
        with _named_errors(path), parent(root, path) as (above, name):
            os.unlink(name, dir_fd=above)
            _sync_directory(above)
    except FileNotFoundError:
        if not missing_ok:
            raise


def rmdir(root: bytes, path: bytes) -> None:
    with _named_errors(path), parent(root, path) as (above, name):
        os.rmdir(name, dir_fd=above)
        _sync_directory(above)


def remove_tree(root: bytes, path: bytes) -> None:
    try:
        with parent(root, path) as (above, name):
            with _named_errors(path):
                _remove(above, name, path)
            _sync_directory(above)
    except FileNotFoundError:
        return


def _remove(above: int, name: bytes, path: bytes) -> None:
    """Removes what has the name. Others may remove it too, or put a link in its place: it is
    opened as a directory and not as a link, and its names are removed below that descriptor."""
    try:
        place = open_directory(above, name, path)
    except (NotADirectoryError, RefusedPath):
        os.unlink(name, dir_fd=above)
        return
    try:
        fd = _readable(place, path)
        try:
            for inner in os.listdir(fd):  # noqa: PTH208 - a descriptor
                with suppress(FileNotFoundError):
                    _remove(fd, os.fsencode(inner), path)
        finally:
            os.close(fd)
    finally:
        os.close(place)
    os.rmdir(name, dir_fd=above)


def chmod(root: bytes, path: bytes, mode: int) -> None:
    with _named_errors(path), _entry(root, path) as fd:
        if modes.S_ISLNK(os.fstat(fd).st_mode):
            raise RefusedPath(path, "is a symbolic link")
        os.chmod(f"/proc/self/fd/{fd}", mode)  # noqa: PTH101 - no name but the descriptor's


def sync(root: bytes, path: bytes) -> None:
    with _entry(root, path) as fd:
        is_directory = modes.S_ISDIR(os.fstat(fd).st_mode)
    if is_directory:
        with _named_errors(path), directory(root, path) as place:
            _sync_directory(place)
        return
    with _named_errors(path), file(root, path, os.O_RDONLY) as fd:
        os.fsync(fd)


def space(root: bytes, path: bytes) -> tuple[int, int, int]:
    """Total, free, available."""
    with _named_errors(path), directory(root, path) as fd:
        found = os.fstatvfs(fd)
    unit = found.f_frsize
    return found.f_blocks * unit, found.f_bfree * unit, found.f_bavail * unit


def _sync_directory(place: int) -> None:
    fd = os.open(b".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=place)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


@contextmanager
def _named_errors(path: bytes) -> Iterator[None]:
    """Errors in the block name the path from the root, and not what the step was given."""
    try:
        yield
    except OSError as error:
        raise _named(error, path) from None


def _named(error: OSError, path: bytes) -> OSError:
    return OSError(error.errno, error.strerror, path)


TABLE = {
    function.__name__: function
    for function in (
        read,
        read_many,
        write,
        create,
        truncate,
        allocate,
        read_at,
        write_at,
        probe_block_size,
        read_delay,
        names,
        find,
        scan,
        stat,
        exists,
        mkdir,
        rename,
        link,
        unlink,
        rmdir,
        remove_tree,
        chmod,
        sync,
        space,
    )
}
"""All operations: what a worker may be asked for."""
