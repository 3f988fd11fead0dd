# SPDX-License-Identifier: GPL-2.0-or-later
"""What differs between two trees of files: what is there, of which kind, whose, since when, with
what content."""

import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

_FIELDS = ("kind and mode", "owner", "time", "device", "content")


def differences(one: Path, other: Path) -> Iterator[str]:
    """Yields a line for each path that is in only one of the trees, or differs, in sorted order."""
    first, second = set(_paths(one)), set(_paths(other))
    for path in sorted(first | second):
        if path not in second:
            yield f"{path}: only in the first"
        elif path not in first:
            yield f"{path}: only in the second"
        else:
            pairs = zip(_FIELDS, _facts(one / path), _facts(other / path), strict=True)
            found = [f"{name} ({a}, {b})" for name, a, b in pairs if a != b]
            if found:
                yield f"{path}: {'; '.join(found)}"


def _paths(root: Path) -> Iterator[str]:
    for directory, directories, files in os.walk(root):
        for name in (*directories, *files):
            yield str((Path(directory) / name).relative_to(root))


def _facts(path: Path) -> tuple[str, ...]:
    status = path.lstat()
    content = ""
    if stat.S_ISLNK(status.st_mode):
        content = str(path.readlink())
    elif stat.S_ISREG(status.st_mode):
        content = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    return (
        stat.filemode(status.st_mode),
        f"{status.st_uid}:{status.st_gid}",
        str(status.st_mtime_ns),
        str(status.st_rdev),
        content,
    )
