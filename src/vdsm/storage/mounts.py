# SPDX-License-Identifier: GPL-2.0-or-later
"""What is mounted, from /proc/self/mountinfo (proc_pid_mountinfo(5)).

Reading it never touches the mounted file systems, so that a dead server does not hang the reader.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from vdsm.host.tree import HostTree

_ESCAPE = re.compile(rb"\\([0-7]{3})")
_MOUNT_POINT = 4  # fields before it: id, parent, device, root


@dataclass(frozen=True, slots=True)
class Mounted:
    """What is mounted on `target`; after an umount and a mount `id` is another one."""

    target: Path
    fs_type: str
    id: int


def below(tree: HostTree, directory: Path) -> list[Mounted]:
    """What is mounted below `directory`, by its path; of several on one target the one that is
    seen. Raises OSError."""
    found: dict[Path, Mounted] = {}
    for line in tree.path("/proc/self/mountinfo").read_bytes().splitlines():
        # Optional fields come before the dash: their number differs.
        before, _, after = line.partition(b" - ")
        fields = before.split(b" ")
        target = Path(os.fsdecode(_unescape(fields[_MOUNT_POINT])))
        if directory in target.parents:
            found[target] = Mounted(target, os.fsdecode(after.split(b" ")[0]), int(fields[0]))
    return [found[target] for target in sorted(found)]


def is_mounted(tree: HostTree, target: Path) -> bool:
    """Whether anything is mounted on `target`. Raises OSError."""
    wanted = os.fsencode(target)
    lines = tree.path("/proc/self/mountinfo").read_bytes().splitlines()
    return any(_unescape(line.split(b" ")[_MOUNT_POINT]) == wanted for line in lines)


def _unescape(field: bytes) -> bytes:
    return _ESCAPE.sub(lambda match: bytes([int(match[1], 8)]), field)
