# SPDX-License-Identifier: GPL-2.0-or-later
"""A file for a reader that opens it by its name. `containers/fuzz` lets TMPDIR lead to a tmpfs of
its own: a run ends without asking Python to tidy up.
"""

import os
import tempfile
from functools import cache
from pathlib import Path


@cache
def directory() -> Path:
    """A directory for this process."""
    made = tempfile.TemporaryDirectory(prefix="fuzz-")
    _kept.append(made)
    return Path(made.name)


_kept: list[tempfile.TemporaryDirectory[str]] = []


class InputFile:
    """The file `name` below `directory()`; made once, as that takes longer than to change it."""

    def __init__(self, name: str, mode: int) -> None:
        self.path = directory() / name
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, mode)
        os.fchmod(self._fd, mode)

    def put(self, content: bytes) -> None:
        """Let `content` be all that is in it."""
        os.pwrite(self._fd, content, 0)
        os.ftruncate(self._fd, len(content))
