# SPDX-License-Identifier: GPL-2.0-or-later
"""/proc/PID/mountinfo, as proc_pid_mountinfo(5) describes it."""

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

OURS: Final = Path("/proc/thread-self/mountinfo")
INIT: Final = Path("/proc/1/mountinfo")
"""The host's own, in a container that shares the host's pid namespace."""

_ESCAPE: Final = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True)
class Mount:
    """One line. `device` is st_dev; `root` is what of the file system shows on `mount_point`."""

    id: int
    parent: int
    device: int
    root: str
    mount_point: str
    options: frozenset[str]
    fs_type: str
    source: str


def parse(line: str) -> Mount:
    """Parse one line. Raises ValueError."""
    fields = line.rstrip("\n").split(" ")
    separator = fields.index("-", 6)
    major, _, minor = fields[2].partition(":")
    return Mount(
        id=int(fields[0]),
        parent=int(fields[1]),
        device=os.makedev(int(major), int(minor)),
        root=_unescape(fields[3]),
        mount_point=_unescape(fields[4]),
        options=frozenset(fields[5].split(",")),
        fs_type=_unescape(fields[separator + 1]),
        source=_unescape(fields[separator + 2]),
    )


def read(path: Path = OURS) -> list[Mount]:
    """Read all mounts of a namespace. Raises OSError."""
    with path.open(encoding="utf-8", errors="surrogateescape", newline="\n") as lines:
        return [parse(line) for line in lines]


def mount_of(descriptor: int, mounts: Iterable[Mount]) -> Mount | None:
    """Return the mount that an open file or directory is in."""
    number = mount_id(descriptor)
    return next((mount for mount in mounts if mount.id == number), None)


def mount_id(descriptor: int) -> int:
    """Return the id of the mount that an open file or directory is in."""
    with open(f"/proc/self/fdinfo/{descriptor}", encoding="ascii") as lines:
        for line in lines:
            key, _, value = line.partition(":")
            if key == "mnt_id":
                return int(value)
    raise OSError(f"no mnt_id in /proc/self/fdinfo/{descriptor}")


def topmost(mount_point: str, below: int, mounts: Iterable[Mount]) -> Mount | None:
    """Return what is mounted on `mount_point`, a directory of the mount with the id `below`.

    Of several mounts on top of each other it is the last one. Never touches the mounted file
    system.
    """
    children = {mount.parent: mount for mount in mounts if mount.mount_point == mount_point}
    found = children.get(below)
    while found and (upper := children.get(found.id)):
        found = upper
    return found


def _unescape(field: str) -> str:
    return _ESCAPE.sub(lambda match: chr(int(match[1], 8)), field)
