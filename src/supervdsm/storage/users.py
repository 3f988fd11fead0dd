# SPDX-License-Identifier: GPL-2.0-or-later
"""Who uses a mount: what fuser(1) says, without touching the mount, whose server may be dead.

The kernel tells the names of open files from memory (proc_pid_fd(5)). Containers see the data
center under the same name as the host does.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from supervdsm.policy import paths

_PROC: Final = Path("/proc")
_PLACES: Final = ("cwd", "root")


def fuser(target: str, *, data_center: Path, proc: Path = _PROC) -> list[int]:
    """The pids of those who have a file below `target` open, or are in it. Raises
    InvalidArgument."""
    paths.below(target, data_center, field="fsFile")
    inside = f"{target}/"
    return sorted(
        int(process.name)
        for process in proc.iterdir()
        if process.name.isdecimal()
        and any(f"{name}/".startswith(inside) for name in _names(process))
    )


def _names(process: Path) -> Iterator[str]:
    """What a process has open, and where it is. It may end meanwhile."""
    for place in _PLACES:
        with suppress(OSError):
            yield os.readlink(process / place)  # noqa: PTH115 - text, as the kernel has it
    with suppress(OSError):
        for descriptor in (process / "fd").iterdir():
            with suppress(OSError):
                yield os.readlink(descriptor)  # noqa: PTH115 - text, as the kernel has it
