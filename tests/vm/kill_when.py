# SPDX-License-Identifier: GPL-2.0-or-later
"""Kills a process at the moment when a file is there, has so much data, or is gone.

A program of its own, of the standard library alone: it runs on the machine where both are, so that
nothing slow lies between what is seen and the kill. Arguments: the pid; the path; the bytes that
are allocated of the file then (0: it is there, -1: it is gone); the seconds after which the process
is killed anyhow. It says "watching" once it looks, and at the end "killed", "late" or "ended" (the
process ended by itself). When its stdin is closed it goes away, and kills nobody.
"""

import select
import signal
import sys
import time
from os import pidfd_open
from pathlib import Path
from typing import Final

_PAUSE_S: Final = 0.001
_BLOCK: Final = 512  # of st_blocks, see stat(2)


def allocated(path: Path) -> int:
    """Bytes that the file has; -1: it is not there."""
    try:
        return path.stat().st_blocks * _BLOCK
    except FileNotFoundError:
        return -1


def is_there(path: Path, size: int) -> bool:
    """Whether it is the moment."""
    found = allocated(path)
    return found < 0 if size < 0 else found >= size


def kill_when(pid: int, path: Path, size: int, patience_s: float) -> str:
    """Does it; the word to end with."""
    # Not by the pid, which may be another's by the time of the kill.
    process = pidfd_open(pid)
    print("watching", flush=True)
    deadline = time.monotonic() + patience_s
    word = "killed"
    while not is_there(path, size):
        ready, _, _ = select.select([process, sys.stdin], [], [], _PAUSE_S)
        if ready:
            return "ended"
        if time.monotonic() > deadline:
            word = "late"
            break
    signal.pidfd_send_signal(process, signal.SIGKILL)
    select.select([process], [], [])
    return word


def main() -> int:
    pid, path, size, patience = sys.argv[1:]
    print(kill_when(int(pid), Path(path), int(size), float(patience)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
