# SPDX-License-Identifier: GPL-2.0-or-later
"""Where processes run. Left alone, the kernel's placing of two of them can count for more than all
that a short call does."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

_PROC: Final = Path("/proc")


@contextmanager
def on_one_processor(unit: str | None = None) -> Iterator[None]:
    """Keep this process, and those that it starts, on one processor; a unit's processes as well."""
    before = os.sched_getaffinity(0)
    one = {max(before)}
    _place(unit, one)
    os.sched_setaffinity(0, one)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
        _place(unit, before)


def _place(unit: str | None, processors: set[int]) -> None:
    if unit is None:
        return
    threads = [each for process in _processes(unit) for each in _threads(process)]
    if not threads:
        raise SystemExit(f"{unit} does not run")
    for thread in threads:
        with suppress(ProcessLookupError):
            os.sched_setaffinity(thread, processors)


def _processes(unit: str) -> Iterator[Path]:
    """Those below a unit's control group, as this process sees them (proc_pid_cgroup(5))."""
    for path in _PROC.glob("[0-9]*/cgroup"):
        with suppress(OSError):
            if f"/{unit}/" in path.read_text():
                yield path.parent


def _threads(process: Path) -> list[int]:
    with suppress(OSError):
        return [int(each.name) for each in (process / "task").iterdir()]
    return []
