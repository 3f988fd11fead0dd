# SPDX-License-Identifier: GPL-2.0-or-later
"""System calls that Python has no function for, by number, and openat2(2) among them.

The numbers from 424 on are the same on every architecture (kernel: scripts/syscall.tbl).
"""

import ctypes
import errno
import os
from typing import Final

_OPENAT2: Final = 437

# linux/openat2.h
RESOLVE_NO_XDEV: Final = 0x01
RESOLVE_NO_MAGICLINKS: Final = 0x02
RESOLVE_NO_SYMLINKS: Final = 0x04
RESOLVE_BENEATH: Final = 0x08
RESOLVE_IN_ROOT: Final = 0x10

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


def syscall(number: int, *arguments: int | bytes | ctypes.Structure) -> int:
    """Make system call `number` and return its result. Raises OSError.

    A structure is passed by its address.
    """
    result: int = _libc.syscall(ctypes.c_long(number), *map(_word, arguments))
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def openat2(directory: int, path: str, *, flags: int, resolve: int) -> int:
    """Open `path` below the descriptor `directory` under the rules of `resolve`; see openat2(2).

    Returns a descriptor that is closed on exec. Raises OSError: ELOOP for a symbolic link that
    RESOLVE_NO_SYMLINKS forbids, EXDEV for a way out that RESOLVE_BENEATH or RESOLVE_NO_XDEV
    forbids.
    """
    how = _OpenHow(flags=flags | os.O_CLOEXEC, mode=0, resolve=resolve)
    while True:
        try:
            return syscall(_OPENAT2, directory, os.fsencode(path), how, ctypes.sizeof(how))
        except OSError as error:
            if error.errno != errno.EINTR:
                raise


class _OpenHow(ctypes.Structure):
    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


def _word(
    argument: int | bytes | ctypes.Structure,
) -> "ctypes.c_long | ctypes.c_char_p | ctypes._CArgObject":
    match argument:
        case int():
            return ctypes.c_long(argument)
        case bytes():
            return ctypes.c_char_p(argument)
        case _:
            return ctypes.byref(argument)
