# SPDX-License-Identifier: GPL-2.0-or-later
"""The host's files as vdsm sees them, below a root that tests may choose."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

# Why a file may not be there for us: the kernel lacks the feature, or the container hides it.
_ABSENT = (FileNotFoundError, NotADirectoryError, PermissionError)


@dataclass(frozen=True, slots=True)
class HostTree:
    """Files by their absolute path, such as "/proc/meminfo", looked up below `root`."""

    root: Path = Path("/")

    def path(self, absolute: str) -> Path:
        """The place of an absolute path below the root."""
        return self.root / absolute.lstrip("/")

    def text(self, absolute: str) -> str:
        """The contents of a file that every host has, stripped. Raises OSError."""
        return self.path(absolute).read_text("utf-8", errors="replace").strip()

    def text_or(self, absolute: str, default: str) -> str:
        """The contents of a file, stripped; `default` when it is missing or hidden.

        Raises OSError for any other failure.
        """
        try:
            return self.text(absolute)
        except _ABSENT:
            return default

    def number_or(self, absolute: str, default: int) -> int:
        """The integer that a file holds; `default` when it is missing, hidden or not a number."""
        try:
            return int(self.text_or(absolute, ""))
        except ValueError:
            return default

    def entries(self, absolute: str) -> list[Path]:
        """What is in a directory, sorted by name; nothing when it is missing or hidden."""
        try:
            return sorted(self.path(absolute).iterdir())
        except _ABSENT:
            return []
