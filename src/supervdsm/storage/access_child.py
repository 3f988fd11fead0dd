# SPDX-License-Identifier: GPL-2.0-or-later
"""Run by `access` in a process of its own: UID GID GROUPS ROOT RELATIVE PERMS.

Becomes the user, walks from ROOT to RELATIVE without following a link, and prints `ERRNO MISSING`:
why the walk ended early (0: it did not), and the access(2) bits that are missing (`granted`:
none). Only the standard library is imported: this starts with -I -S.
"""

import errno
import os
import stat
import sys

_DENIED = (errno.EACCES, errno.EPERM)


def main(uid: str, gid: str, groups: str, root: str, relative: str, perms: str) -> None:
    """Print what the user may not do."""
    # The root is opened before: it is fixed, and who may come this far is not the question.
    start = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW)
    os.setgroups([int(group) for group in groups.split(",") if group])
    os.setresgid(int(gid), int(gid), int(gid))
    os.setresuid(int(uid), int(uid), int(uid))
    number, missing = check(start, relative, int(perms))
    sys.stdout.write(f"{number} {'granted' if missing is None else missing}")


def check(start: int, relative: str, perms: int) -> tuple[int, int | None]:
    """Return the errno of the walk and the missing bits, as the current user."""
    try:
        end = walk(start, relative.split("/"))
    except OSError as error:
        return (0, perms) if error.errno in _DENIED else (error.errno or errno.EIO, None)
    # The last component is held now: asking by its descriptor can not be led elsewhere.
    missing = sum(
        bit
        for bit in (os.R_OK, os.W_OK, os.X_OK)
        if perms & bit and not os.access(f"/proc/self/fd/{end}", bit)
    )
    return 0, missing or None


def walk(start: int, names: list[str]) -> int:
    """Open one component after the other. A symbolic link ends it with ELOOP."""
    directory = start
    for name in names:
        directory = os.open(name, os.O_PATH | os.O_NOFOLLOW, dir_fd=directory)
        if stat.S_ISLNK(os.fstat(directory).st_mode):
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
    return directory


if __name__ == "__main__":
    main(*sys.argv[1:])
