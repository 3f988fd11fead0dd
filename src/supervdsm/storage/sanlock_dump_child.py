# SPDX-License-Identifier: GPL-2.0-or-later
"""Run by `sanlock_direct` in a process of its own: UID GID ROOT RELATIVE OFFSET SIZE BLOCK ALIGN.

Becomes the user, walks from ROOT to RELATIVE without following a link, and becomes
`sanlock direct dump` of the file that it found there, by its descriptor. Prints `ERRNO` instead
when it found none. Only the standard library is imported: this starts with -I -S.
"""

import errno
import os
import stat
import sys


def main(
    uid: str, gid: str, root: str, relative: str, offset: str, size: str, block: str, align: str
) -> None:
    """Become sanlock, or print why not."""
    start = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW)
    os.setgroups([])
    os.setresgid(int(gid), int(gid), int(gid))
    os.setresuid(int(uid), int(uid), int(uid))
    try:
        file = walk(start, relative.split("/"))
    except OSError as error:
        sys.stdout.write(str(error.errno or errno.EIO))
        return
    os.set_inheritable(file, True)
    path = f"/proc/self/fd/{file}:{offset}:{size}"
    command = ["sanlock", "direct", "dump", path, "-Z", block, "-A", f"{int(align) >> 20}M"]
    os.execvp("sanlock", command)  # noqa: S606 - no shell, and PATH is supervdsm's


def walk(start: int, names: list[str]) -> int:
    """Open the regular file at the end; a symbolic link ends the walk with ELOOP."""
    directory = start
    for name in names:
        directory = os.open(name, os.O_PATH | os.O_NOFOLLOW, dir_fd=directory)
        if stat.S_ISLNK(os.fstat(directory).st_mode):
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
    if not stat.S_ISREG(os.fstat(directory).st_mode):
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
    return os.open(f"/proc/self/fd/{directory}", os.O_RDONLY | os.O_NONBLOCK)


if __name__ == "__main__":
    main(*sys.argv[1:])
