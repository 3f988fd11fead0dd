# SPDX-License-Identifier: GPL-2.0-or-later
"""Run by `mount.umount` as a process: FD NAME FLAGS. Prints the errno of umount2(2), or 0.

FD is the directory that has NAME; a symbolic link in its place is not followed. Only the standard
library is imported: this starts with -I -S.
"""

import ctypes
import os
import sys


def main(directory: str, name: str, flags: str) -> None:
    """Unmount NAME in the directory that is open as FD."""
    libc = ctypes.CDLL(None, use_errno=True)
    path = os.fsencode(f"/proc/self/fd/{int(directory)}/{name}")
    failed = libc.umount2(path, int(flags)) != 0
    sys.stdout.write(str(ctypes.get_errno() if failed else 0))


if __name__ == "__main__":
    main(*sys.argv[1:])
