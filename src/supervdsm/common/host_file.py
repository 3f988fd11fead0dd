# SPDX-License-Identifier: GPL-2.0-or-later
"""Read a file of the host out of its root tree, as the host itself would see it.

The host's tree is mounted at `paths.HOST_ROOT` in supervdsm's container. A link in it such as
`/etc/resolv.conf -> /run/systemd/resolve/stub-resolv.conf` is the host's, so the kernel resolves
it with that tree as the root: openat2(2), RESOLVE_IN_ROOT, Linux 5.6.
"""

import ctypes
import os
import stat
from pathlib import Path
from typing import Final

_SYS_OPENAT2: Final = 437
"""One number on all architectures."""
_RESOLVE_NO_MAGICLINKS: Final = 0x02
_RESOLVE_IN_ROOT: Final = 0x10
_MAX_BYTES: Final = 1024 * 1024

_libc = ctypes.CDLL(None, use_errno=True)


class _OpenHow(ctypes.Structure):
    """`struct open_how` of <linux/openat2.h>."""

    _fields_ = (
        ("flags", ctypes.c_uint64),
        ("mode", ctypes.c_uint64),
        ("resolve", ctypes.c_uint64),
    )


def read_text(root: Path, path: str) -> str:
    """Return the text of the host's file `path` (absolute), read within `root`.

    Bytes that are not UTF-8 become U+FFFD. Raises FileNotFoundError when the host has no such file
    and OSError when it cannot be read, is not a regular file or has more than 1 MiB.
    """
    root_fd = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fd = _open_in_root(root_fd, path)
    finally:
        os.close(root_fd)
    with open(fd, "rb") as file:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise OSError(f"{path}: not a regular file")
        content = file.read(_MAX_BYTES + 1)
    if len(content) > _MAX_BYTES:
        raise OSError(f"{path}: larger than {_MAX_BYTES} bytes")
    return content.decode(errors="replace")


def _open_in_root(root_fd: int, path: str) -> int:
    # O_NONBLOCK: a FIFO in the file's place must not hold the call.
    how = _OpenHow(
        flags=os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK,
        mode=0,
        resolve=_RESOLVE_IN_ROOT | _RESOLVE_NO_MAGICLINKS,
    )
    fd: int = _libc.syscall(
        ctypes.c_long(_SYS_OPENAT2),
        ctypes.c_int(root_fd),
        ctypes.c_char_p(os.fsencode(path)),
        ctypes.byref(how),
        ctypes.c_size_t(ctypes.sizeof(how)),
    )
    if fd < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), path)
    return fd
