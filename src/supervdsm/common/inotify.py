# SPDX-License-Identifier: GPL-2.0-or-later
"""Wait for changes in directories: inotify(7)."""

import ctypes
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

_IN_MOVED_FROM: Final = 0x40
_IN_MOVED_TO: Final = 0x80
_IN_DELETE: Final = 0x200
_IN_ONLYDIR: Final = 0x01000000
_MASK: Final = _IN_MOVED_FROM | _IN_MOVED_TO | _IN_DELETE | _IN_ONLYDIR
_IN_CLOEXEC: Final = os.O_CLOEXEC
_MAX_BYTES: Final = 64 * 1024

_libc = ctypes.CDLL(None, use_errno=True)


class Watch:
    """Watches directories for files that come by rename(2), leave by it, or are removed."""

    def __init__(self, directories: Iterable[Path]) -> None:
        """Raises OSError."""
        self._fd = _checked(_libc.inotify_init1(ctypes.c_int(_IN_CLOEXEC)), "inotify")
        for directory in directories:
            path = os.fsencode(directory)
            added = _libc.inotify_add_watch(
                ctypes.c_int(self._fd), ctypes.c_char_p(path), ctypes.c_uint32(_MASK)
            )
            _checked(added, str(directory))

    def wait(self) -> None:
        """Wait for a change since the last call, however many there were. Raises OSError."""
        os.read(self._fd, _MAX_BYTES)


def _checked(result: int, what: str) -> int:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), what)
    return result
