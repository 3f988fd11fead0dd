# SPDX-License-Identifier: GPL-2.0-or-later
"""`python -m faults.network DIRECTORY BATCH SECONDS`: a supervdsm for a namespace of its own.

Everything that it keeps is below DIRECTORY. A step is one system call that changes something: a
write to netlink, sysctl or sysfs, or to the names of files. A file DIRECTORY/arm is taken at the
next step, from which steps count: `kill N` lets it kill itself before the Nth, `refuse N ERRNO`
lets the kernel refuse that one. From then on each step leaves a line in DIRECTORY/steps.
"""

import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from supervdsm.main import main
from supervdsm.network.apply import device_files
from supervdsm.network.apply.executor import Executor
from supervdsm.network.kernel.devices import NicPatterns
from supervdsm.network.kernel.socket import NetlinkSocket, Refusal
from supervdsm.network.room import NetworkRoom
from supervdsm.network.services.dhcp import DhcpClients
from supervdsm.network.services.leases import Leases
from supervdsm.network.services.wishes import Wishes
from supervdsm.network.transaction.hooks import Hooks
from supervdsm.server.lifecycle import end

NICS = NicPatterns(fake=("nic*",))
_unlink = os.unlink
FILE_CALLS = ("rename", "symlink", "unlink", "mkdir")
"""Without rmdir, and unlink within a tree: how many old files there are to remove differs."""


class NoLauncher:
    """Starts no DHCP client: a unit of this machine is none of ours."""

    def restart(self, instance: str) -> None:
        raise AssertionError(instance)

    def stop(self, instance: str) -> None:
        raise AssertionError(instance)

    def started(self) -> tuple[str, ...]:
        return ()


class Steps:
    """Counts the steps, and kills or refuses at the one that was asked for."""

    def __init__(self, directory: Path) -> None:
        self._arm = directory / "arm"
        self._log = directory / "steps"
        self._words: list[str] = []
        self._count = 0

    def step(self, words: str) -> int:
        """Count a step, which may be the last. Return the error that it shall end with, or 0."""
        self._take_arm()
        if not self._words:
            return 0
        self._count += 1
        verb, number, *rest = self._words
        if self._count == int(number) and verb == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        with self._log.open("a") as log:
            log.write(f"{words}\n")
        return int(rest[0]) if self._count == int(number) else 0

    def _take_arm(self) -> None:
        try:
            self._words = self._arm.read_text().split()
        except FileNotFoundError:
            return
        self._count = 0
        _unlink(self._arm)

    def install(self) -> None:
        """Count from now on."""
        send = NetlinkSocket.send_batch
        write = device_files._write

        def send_batch(
            netlink: NetlinkSocket, /, requests: Sequence[bytes]
        ) -> list[Refusal | None]:
            code = self.step("netlink")
            if code:
                return [Refusal(code, os.strerror(code)), *(None for _ in requests[1:])]
            return send(netlink, requests)

        def write_file(directory: int, path: str, value: str) -> None:
            code = self.step(f"write {path}")
            if code:
                raise OSError(code, os.strerror(code), path)
            write(directory, path, value)

        NetlinkSocket.send_batch = send_batch  # type: ignore[assignment,method-assign]
        device_files._write = write_file
        for name in FILE_CALLS:
            setattr(os, name, self._counted(name, getattr(os, name)))

    def _counted(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **keywords: Any) -> Any:
            if keywords.get("dir_fd") is not None:
                return function(*arguments, **keywords)
            code = self.step(f"{name} {Path(os.fsdecode(arguments[0])).name}")
            if code:
                raise OSError(code, os.strerror(code), arguments[0])
            return function(*arguments, **keywords)

        return call


def room(directory: Path, batch: int, nic_seconds: float) -> NetworkRoom:
    """Return the room of this namespace, with its files below `directory`."""
    host_root, run_dir, hooks = (directory / name for name in ("root", "run", "hooks"))
    for path in (host_root / "etc", run_dir, hooks):
        path.mkdir(parents=True, exist_ok=True)
    dhcp = DhcpClients(
        launcher=NoLauncher(),
        wishes=Wishes(run_dir / "dhcp"),
        leases=Leases(run_dir / "leases"),
        state=directory / "dhcp",
        host_root=host_root,
    )
    return NetworkRoom(
        host_root=host_root,
        state_dir=directory / "state",
        run_dir=run_dir,
        patterns=NICS,
        hooks=Hooks(hooks, root=None, run_dir=run_dir),
        dhcp=dhcp,
        executor=Executor(dhcp=dhcp, host_root=host_root, batch=batch),
        nic_seconds=nic_seconds,
    )


if __name__ == "__main__":
    where = Path(sys.argv.pop(1))
    made = room(where, int(sys.argv.pop(1)), float(sys.argv.pop(1)))
    Steps(where).install()
    end(main(network=made))
