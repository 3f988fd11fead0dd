# SPDX-License-Identifier: GPL-2.0-or-later
"""The kernel's mount calls: detached trees, and mount namespaces of a thread.

open_tree(2) gives a copy of a mount that hangs nowhere, held by a descriptor; move_mount(2) hangs
it on a directory that is held by a descriptor too. No name is looked up in between.
"""

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from supervdsm.policy.syscalls import syscall

_OPEN_TREE: Final = 428
_MOVE_MOUNT: Final = 429
_MOUNT_SETATTR: Final = 442

# linux/fcntl.h, linux/mount.h
_AT_FDCWD: Final = -100
_AT_EMPTY_PATH: Final = 0x1000
_OPEN_TREE_CLONE: Final = 0x1
_MOVE_MOUNT_F_EMPTY_PATH: Final = 0x04
_MOVE_MOUNT_T_EMPTY_PATH: Final = 0x40
MOUNT_ATTR_RDONLY: Final = 0x01
MOUNT_ATTR_NOSUID: Final = 0x02
MOUNT_ATTR_NODEV: Final = 0x04
MOUNT_ATTR_NOEXEC: Final = 0x08
MOUNT_ATTR__ATIME: Final = 0x70
MOUNT_ATTR_NOATIME: Final = 0x10
MOUNT_ATTR_STRICTATIME: Final = 0x20
MOUNT_ATTR_NODIRATIME: Final = 0x80
_MS_REC: Final = 0x4000
_MS_PRIVATE: Final = 1 << 18
_MS_SLAVE: Final = 1 << 19
MNT_FORCE: Final = 0x1
MNT_DETACH: Final = 0x2
UMOUNT_NOFOLLOW: Final = 0x8
_CLONE_NEWNS: Final = 0x20000

_libc = ctypes.CDLL(None, use_errno=True)


@contextmanager
def cloned_tree(path: str | int) -> Iterator[int]:
    """Hold a detached copy of the mount, or the directory of one, that `path` names or holds open.

    Mounts below it are not copied. The copy goes away at the end, unless it was attached.
    """
    tree = open_cloned_tree(path)
    try:
        yield tree
    finally:
        os.close(tree)


def open_cloned_tree(path: str | int) -> int:
    """Like `cloned_tree`, for a caller that closes the descriptor itself."""
    flags = _OPEN_TREE_CLONE | os.O_CLOEXEC
    if isinstance(path, int):
        return syscall(_OPEN_TREE, path, b"", flags | _AT_EMPTY_PATH)
    return syscall(_OPEN_TREE, _AT_FDCWD, os.fsencode(path), flags)


def attach(tree: int, directory: int) -> None:
    """Hang the detached `tree` on `directory`, both descriptors. Raises OSError."""
    flags = _MOVE_MOUNT_F_EMPTY_PATH | _MOVE_MOUNT_T_EMPTY_PATH
    syscall(_MOVE_MOUNT, tree, b"", directory, b"", flags)


def set_attributes(tree: int, *, attributes: int, clear: int) -> None:
    """Set and clear MOUNT_ATTR_ flags of the detached `tree`; make it private. Raises OSError."""
    request = _MountAttr(attr_set=attributes, attr_clr=clear, propagation=_MS_PRIVATE)
    syscall(_MOUNT_SETATTR, tree, b"", _AT_EMPTY_PATH, request, ctypes.sizeof(request))


def unmount(path: str, flags: int) -> None:
    """umount2(2). Raises OSError."""
    _check(_libc.umount2(os.fsencode(path), flags))


def enter_new_mount_namespace() -> None:
    """Give this thread a mount namespace of its own, which ends with its last user.

    What is mounted there shows nowhere else. What others unmount goes away there too, so that it
    keeps no file system busy.
    """
    _check(_libc.unshare(_CLONE_NEWNS))
    _check(_libc.mount(b"none", b"/", None, ctypes.c_ulong(_MS_REC | _MS_SLAVE), None))


class _MountAttr(ctypes.Structure):
    _fields_ = (
        ("attr_set", ctypes.c_uint64),
        ("attr_clr", ctypes.c_uint64),
        ("propagation", ctypes.c_uint64),
        ("userns_fd", ctypes.c_uint64),
    )


def _check(result: int) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
