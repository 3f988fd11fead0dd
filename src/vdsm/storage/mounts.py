# SPDX-License-Identifier: GPL-2.0-or-later
"""What is mounted, from /proc/self/mountinfo (proc_pid_mountinfo(5)).

Reading it never touches the mounted file systems, so that a dead server does not hang the reader.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from vdsm.host.tree import HostTree

_ESCAPE = re.compile(rb"\\([0-7]{3})")
_MOUNT_POINT = 4  # fields before it: id, parent, device, root


def is_mounted(tree: HostTree, target: Path) -> bool:
    """Whether anything is mounted on `target`. Raises OSError."""
    wanted = os.fsencode(target)
    lines = tree.path("/proc/self/mountinfo").read_bytes().splitlines()
    return any(_unescape(line.split(b" ")[_MOUNT_POINT]) == wanted for line in lines)


def _unescape(field: bytes) -> bytes:
    return _ESCAPE.sub(lambda match: bytes([int(match[1], 8)]), field)
