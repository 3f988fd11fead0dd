# SPDX-License-Identifier: GPL-2.0-or-later
"""The worker processes of each root: `FileSystems` and `Files` that a dead server cannot hang.

A root has a few workers of its own, so that its server blocks nobody else's files. An operation
that does not end in time fails, and its worker is killed and left to the kernel. From then on the
root is suspect: one call at a time tries it, and the others fail at once, until one is answered.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec, Self, TypeVar

from vdsm.storage.outofprocess.keeper import Keeper
from vdsm.storage.outofprocess.root import Limits, Root
from vdsm.storage.outofprocess.rooted import RootedFiles

P = ParamSpec("P")
R = TypeVar("R")


class WorkerFileSystems:
    """Keeps the protocol `FileSystems`. `timeout_s` is what one operation may take, in seconds."""

    def __init__(self, timeout_s: float = 60.0, limits: Limits | None = None) -> None:
        self._limits = limits or Limits(timeout_s=timeout_s)
        self._guard = threading.Lock()
        self._roots: dict[Path, Root] = {}
        self._keeper = Keeper(self._each_root, self._limits.look_s)

    def at(self, root: Path) -> WorkerFiles:
        return WorkerFiles(self, root)

    def drop(self, root: Path) -> None:
        with self._guard:
            dropped = self._roots.pop(root, None)
        if dropped is not None:
            dropped.close()

    def close(self) -> None:
        with self._guard:
            roots, self._roots = list(self._roots.values()), {}
        for root in roots:
            root.close()
        self._keeper.close()

    def run(self, mount: Path, operation: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Runs one of `operations.TABLE` in a worker of `mount`."""
        with self._guard:
            root = self._roots.get(mount)
            if root is None:
                root = self._roots[mount] = Root(mount, self._keeper, self._limits)
        return root.run(operation, *args, **kwargs)

    def _each_root(self) -> list[Root]:
        with self._guard:
            return list(self._roots.values())


class WorkerFiles(RootedFiles):
    """Files of one mount. It goes on after a `drop`, with new workers."""

    def __init__(self, filesystems: WorkerFileSystems, mount: Path, prefix: str = ".") -> None:
        super().__init__(mount, prefix)
        self._filesystems = filesystems

    def _run(self, operation: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        return self._filesystems.run(self._mount, operation, *args, **kwargs)

    def _at(self, mount: Path, prefix: str) -> Self:
        return type(self)(self._filesystems, mount, prefix)
