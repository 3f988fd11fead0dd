# SPDX-License-Identifier: GPL-2.0-or-later
"""What a test host and a test VM have in common: a name, a directory, a life."""

import re
import shutil
import subprocess
import uuid
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import ClassVar

from testenv import config
from testenv.cgroup import Cgroup
from testenv.locks import locked
from testenv.netns import NetworkNamespace
from testenv.report import Failed, progress

NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?")


class Machine(ABC):
    """One disposable machine. Its state is its directory and what the kernel says.

    Life: ``create`` its disk, ``boot`` it, and at the end ``remove`` every trace. Between them it
    may be powered off, cut off or rebooted as often as a test likes; its disk stays.
    """

    kind: ClassVar[str]
    command: ClassVar[str]
    """The command that a person types for it."""
    title: ClassVar[str]
    deploy_limit: ClassVar[float]
    """Seconds that the pair may take to come up."""
    poweroff_limit: ClassVar[float]

    def __init__(self, name: str) -> None:
        if not NAME.fullmatch(name):
            raise Failed(
                f"{name!r} is no name for a machine",
                "lower-case letters, digits and dashes, at most 32",
            )
        self.name = name
        self.directory = config.STATE / self.kind / name
        self.cgroup = Cgroup(f"vdsm-test{self.kind}-{name}")
        self.peer = NetworkNamespace(f"vdsm-test{self.kind}-peer.{name}")

    # Its life

    @abstractmethod
    def create(self) -> None:
        """Make its disk."""

    @abstractmethod
    def boot(self) -> None:
        """Boot it from its disk and wait until systemd has finished starting."""

    @abstractmethod
    def remove_network(self) -> None: ...

    @property
    def created(self) -> bool:
        """Whether it has a disk, and the cache still has what that builds on."""
        return self._created_mark.exists() and self.base.exists()

    @property
    def base(self) -> Path:
        """The link to the cached tree or disk that this machine's disk builds on."""
        return self.directory / "base"

    def mark_created(self) -> None:
        self._created_mark.write_text("")

    @property
    def _created_mark(self) -> Path:
        return self.directory / "created"

    @property
    def exists(self) -> bool:
        return self.directory.exists() or self.cgroup.populated()

    def running(self) -> bool:
        return self.cgroup.populated()

    def require_running(self) -> None:
        if not self.running():
            state = "off" if self.created else "not there"
            verb = "boot" if self.created else "up"
            raise Failed(
                f"{self.title} {self.name} is {state}", f"{self.command} {verb} --name {self.name}"
            )

    def power_cut(self) -> None:
        """End it as a power cut does: nothing inside gets a chance to do anything."""
        self.cgroup.kill()

    def power_off(self) -> None:
        """Shut it down as an operator does; cut its power if that does not end in time."""
        try:
            # Whoever still waits when the last processes are stopped and killed may wait for ever:
            # nsenter(1) stops with the command that it runs, and is none of them.
            self.run("systemctl", "--no-block", "poweroff", limit=self.poweroff_limit)
            ended = self.cgroup.wait_empty(self.poweroff_limit)
        except Failed:
            # Cannot be reached, or was gone before it could answer.
            ended = self.cgroup.wait_empty(10)
        if not ended:
            progress(f"{self.title} {self.name} does not power off; cutting its power. Left are:")
            for each in self.cgroup.processes():
                progress(f"  {each}")
            self.power_cut()

    def remove(self) -> None:
        """Take every trace away, whatever state it is in. Fine if there is none."""
        self.cgroup.remove()
        self.remove_network()
        shutil.rmtree(self.directory, ignore_errors=True)
        if self.directory.exists():
            shutil.rmtree(self.directory)  # say why

    def locked(self) -> AbstractContextManager[None]:
        """Hold the right to change this machine's state."""
        lock = self.directory.with_name(f".{self.name}.lock")
        # Trees hold set-uid programs: nobody else looks in.
        config.STATE.mkdir(mode=0o700, parents=True, exist_ok=True)
        return locked(lock, f"another command on {self.title} {self.name}")

    # Commands in it

    @abstractmethod
    def enter(self, argv: Sequence[str]) -> list[str]:
        """Return the command that runs `argv` in it; stdin, output and status are the command's."""

    @abstractmethod
    def shell(self) -> list[str]:
        """Return the command that opens a shell in it, on the caller's terminal."""

    def run(
        self, *argv: str, stdin: bytes = b"", check: bool = True, limit: float | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        """Run a command in it and return what it said.

        Raises:
            Failed: it ended with a non-zero status (unless `check` is false), or not in time.
        """
        try:
            result = subprocess.run(
                self.enter(argv), input=stdin, capture_output=True, check=False, timeout=limit
            )
        except subprocess.TimeoutExpired:
            raise Failed(f"`{' '.join(argv)}` in {self.name} takes over {limit} s") from None
        if check and result.returncode != 0:
            raise Failed(
                f"`{' '.join(argv)[:200]}` in {self.name} ended with status {result.returncode}",
                details=(result.stdout + result.stderr).decode(errors="replace")[-4000:],
            )
        return result

    def warn_if_degraded(self) -> None:
        """Say which units failed while it booted."""
        failed = self.run("systemctl", "--failed", "--no-legend", "--plain", check=False)
        for line in failed.stdout.decode(errors="replace").splitlines():
            progress(f"  failed while booting: {line}")

    # The images

    @property
    def _images_record(self) -> Path:
        return self.directory / "images"

    def attach_images(self) -> Path | None:
        """Return the store that it boots with, None if there is none yet.

        It keeps that of its first boot, for its pins name what is in there; unless it is gone.
        """
        attached = self.images_attached()
        if attached is None or not attached.exists():
            attached = config.STORE.resolve() if config.STORE.exists() else None
            self._images_record.write_text(str(attached or ""))
        return attached

    def images_attached(self) -> Path | None:
        """Return the store that it was booted with."""
        recorded = self._images_record.read_text() if self._images_record.exists() else ""
        return Path(recorded) if recorded else None

    def detach_images(self) -> None:
        """Let its next boot be with the newest images."""
        self._images_record.unlink(missing_ok=True)

    # What is said about it

    @property
    @abstractmethod
    def console_log(self) -> Path: ...

    @contextmanager
    def console_shown_on_failure(self) -> Iterator[None]:
        """Add the console's last lines to a failure to boot."""
        try:
            yield
        except Failed as failure:
            if self.console_log.exists():
                lines = self.console_log.read_bytes().splitlines()[-40:]
                failure.details += "\nIts console:\n" + b"\n".join(lines).decode(errors="replace")
            raise

    def machine_id(self) -> str:
        """Return the machine's own id, the same at every boot."""
        path = self.directory / "machine-id"
        if not path.exists():
            path.write_text(uuid.uuid4().hex)
        return path.read_text()


def machine_names(kind: str) -> list[str]:
    """Return the names of all machines of a kind that left any trace on this machine."""
    prefix = f"vdsm-test{kind}-"
    directory = config.STATE / kind
    names = {path.name for path in directory.glob("*") if path.is_dir()}
    names |= {path.name.removeprefix(prefix) for path in Cgroup(".").path.glob(f"{prefix}*")}
    return sorted(name for name in names if NAME.fullmatch(name))
