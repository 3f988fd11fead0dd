# SPDX-License-Identifier: GPL-2.0-or-later
"""Which processes of a model there are: each says that it was born, a watcher sees them live and
die."""

import ctypes
import os
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

ROLES: Final = ("helper", "vdsm")
_SET_CHILD_SUBREAPER: Final = 36
_EVERY_S: Final = 0.005


def say_born(place: Path, role: str) -> None:
    """Tells the watcher of this process."""
    fd = os.open(place / "births", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.write(fd, f"{role} {os.getpid()}\n".encode())
    os.close(fd)


def born_at(pid: int) -> str:
    """When a process began, in clock ticks; "" for one that has ended. proc_pid_stat(5)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in "ZX" else fields[19]


def own_cgroup() -> str:
    """The control group of this process, as admission wants it."""
    lines = Path("/proc/self/cgroup").read_text().splitlines()
    return next((line[3:] for line in lines if line.startswith("0::")), "/")


def adopt_orphans() -> None:
    """Whoever loses its parent below this process becomes its child, and is found."""
    ctypes.CDLL(None, use_errno=True).prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


@dataclass
class Watcher:
    """Looks at the processes of one model, all the time."""

    place: Path
    most: Counter[str] = field(default_factory=Counter)
    """How many of each role lived at once."""
    crowded_s: float = 0.0
    """For how long there were two of some role."""

    def __post_init__(self) -> None:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        self._thread.join()

    def living(self, role: str) -> list[int]:
        """The pids of those that live, the oldest first."""
        return [pid for one, pid in self._born() if one == role and born_at(pid)]

    def _born(self) -> list[tuple[str, int]]:
        try:
            lines = (self.place / "births").read_text().splitlines()
        except FileNotFoundError:
            return []
        return [(role, int(pid)) for role, pid in (line.split() for line in lines)]

    def _watch(self) -> None:
        before = time.monotonic()
        while not self._stop.wait(_EVERY_S):
            now = time.monotonic()
            counts = {role: len(self.living(role)) for role in ROLES}
            for role, count in counts.items():
                self.most[role] = max(self.most[role], count)
            if max(counts.values()) > 1:
                self.crowded_s += now - before
            before = now
            for _, pid in self._born():
                self._reap(pid)

    def _reap(self, pid: int) -> None:
        """Buries an orphan that has ended; a child of a service is waited for there."""
        with suppress(OSError):
            if not born_at(pid) and pid not in SERVED:
                os.waitpid(pid, os.WNOHANG)


SERVED: Final[set[int]] = set()
"""The pids that a service started and waits for."""
