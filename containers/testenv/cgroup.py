# SPDX-License-Identifier: GPL-2.0-or-later
"""A control group per machine: where its processes are found, counted and, at the end, killed.

Whether a machine runs is asked of the kernel here, never of a pid in a file.
"""

import errno
import os
import select
import time
from pathlib import Path

from testenv.report import Failed

_KILL_LIMIT = 30.0
"""Seconds that processes may take to end on SIGKILL."""


def mount_point() -> Path:
    """Return where the cgroup2 tree is: /sys/fs/cgroup, or below it on a hybrid machine."""
    for line in Path("/proc/mounts").read_text().splitlines():
        _, target, kind, *_ = line.split()
        if kind == "cgroup2":
            return Path(target)
    raise Failed("no cgroup2 file system is mounted", "boot with systemd, or mount one")


class Cgroup:
    """One directory of the cgroup2 tree and everything below it."""

    def __init__(self, name: str) -> None:
        self.path = mount_point() / name

    def renew(self) -> None:
        """Make it new and empty: systemd-nspawn refuses one that a container has used."""
        self.remove()
        self.path.mkdir()

    def child(self, name: str) -> Path:
        path = self.path / name
        path.mkdir(exist_ok=True)
        return path

    def populated(self) -> bool:
        try:
            events = (self.path / "cgroup.events").read_text()
        except FileNotFoundError:
            return False
        return "populated 1" in events

    def pids(self, child: str = ".") -> list[int]:
        """Return the processes in `child` itself, not in the groups below it."""
        try:
            return [int(pid) for pid in (self.path / child / "cgroup.procs").read_text().split()]
        except FileNotFoundError:
            return []

    def processes(self) -> list[str]:
        """Return what is in it and below it, for people: pid, state, group and command of each."""
        found = []
        for directory, _, _ in os.walk(self.path):
            group = Path(directory).relative_to(self.path)
            found += [f"{pid} {_shown(pid)} in {group}" for pid in self.pids(str(group))]
        return found

    def wait_empty(self, limit: float) -> bool:
        """Wait at most `limit` seconds until no process is left; return whether that is so."""
        deadline = time.monotonic() + limit
        try:
            descriptor = os.open(self.path / "cgroup.events", os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return True
        try:
            poll = select.poll()
            poll.register(descriptor, select.POLLPRI)
            # Read, then wait for the change after what was read (cgroup-v2.rst, "populated").
            while b"populated 1" in os.pread(descriptor, 256, 0):
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                poll.poll(left * 1000)
        except OSError:  # ENODEV: the group itself is gone
            return True
        finally:
            os.close(descriptor)
        return True

    def kill(self) -> None:
        """SIGKILL everything in it and wait until it is gone."""
        if not self.populated():
            return
        (self.path / "cgroup.kill").write_text("1")
        if not self.wait_empty(_KILL_LIMIT):
            raise Failed(f"processes in {self.path} do not end on SIGKILL")

    def remove(self) -> None:
        """Kill what is in it and take the directories away; fine if there are none.

        Who was just started may come in meanwhile, and is killed as well. Once the directories are
        gone, nobody can.
        """
        deadline = time.monotonic() + _KILL_LIMIT
        while self.path.exists():
            self.kill()
            try:
                for directory, _, _ in os.walk(self.path, topdown=False):
                    Path(directory).rmdir()
            except OSError as error:
                if error.errno not in (errno.EBUSY, errno.ENOTEMPTY, errno.ENOENT):
                    raise
                if time.monotonic() > deadline:
                    raise Failed(f"{self.path} does not go away: {error.strerror}") from error


def _shown(pid: int) -> str:
    """Return a process' state and command (proc_pid_stat(5), proc_pid_cmdline(5))."""
    process = Path("/proc") / str(pid)
    try:
        state = (process / "stat").read_text().rpartition(") ")[2][:1]
        command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        return f"{state} {command.strip() or (process / 'comm').read_text().strip()}"
    except OSError:
        return "gone"
