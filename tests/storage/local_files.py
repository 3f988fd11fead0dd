# SPDX-License-Identifier: GPL-2.0-or-later
"""`Files` and `FileSystems` of a directory, in this process: the worker's operations without the
worker. For unit tests:

    filesystems = LocalFileSystems()
    files = filesystems.at(tmp_path).below(uuid)
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec, Self, TypeVar

from vdsm.storage.outofprocess.rooted import RootedFiles

P = ParamSpec("P")
R = TypeVar("R")


class LocalFiles(RootedFiles):
    """Runs each operation where it is asked for."""

    def _run(self, operation: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        return operation(*args, **kwargs)

    def _at(self, mount: Path, prefix: str) -> Self:
        return type(self)(mount, prefix)


class LocalFileSystems:
    """`dropped` are the roots that were given up."""

    def __init__(self) -> None:
        self.dropped: list[Path] = []

    def at(self, root: Path) -> LocalFiles:
        return LocalFiles(root)

    def drop(self, root: Path) -> None:
        self.dropped.append(root)

    def close(self) -> None:
        """Nothing is kept."""
