# SPDX-License-Identifier: GPL-2.0-or-later
"""The host that is looked at: its tree, its processes, its commands.

vdsm-tool runs in a container of supervdsm's image, with the host's pid and network namespaces
and the host's tree at `/host`; or straight on a host. `Host` hides the difference: it finds a file
of the host, and runs a command of the host. In the container a command is run by `nsenter` in the
mount namespace of pid 1: `systemctl` and `podman` must be the host's own (their versions,
libraries and sockets), and in a plain chroot `systemctl show` ignores the request.
"""

import os
import re
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from vdsm_contract.paths import HOST_ROOT
from vdsm_tool.errors import UNKNOWN, ToolError

_ESCAPE: Final = re.compile(r"\\([0-7]{3})")

COMMAND_TIMEOUT = 20.0
"""Seconds that a command of the host may take."""

Runner = Callable[[Sequence[str]], str]
"""Runs a command and returns its standard output; raises ToolError when it fails."""


@dataclass(frozen=True)
class Mount:
    """One line of proc_pid_mountinfo(5)."""

    source: str
    target: Path
    fstype: str
    shared: bool
    """Whether mounts below it propagate to its peers."""
    read_only: bool
    """Whether nothing can be written by this mount, or to this file system at all."""


@dataclass(frozen=True)
class Host:
    """A host by its tree (`root`), its procfs (`proc`) and a way to run its commands."""

    root: Path
    proc: Path
    run: Runner

    def path(self, path: str | Path) -> Path:
        """Return where the host's absolute `path` is from here."""
        return self.root / str(path).lstrip("/")

    def mounts(self) -> list[Mount]:
        """Return the mounts that pid 1 of the host sees, in the order that they were made."""
        lines = (self.proc / "1/mountinfo").read_text().splitlines()
        return [_parse_mount(line) for line in lines]


def _parse_mount(line: str) -> Mount:
    head, _, tail = line.partition(" - ")
    fields = head.split(" ")
    fstype, source, options = tail.split(" ")[:3]
    return Mount(
        source=_unescape(source),
        target=Path(_unescape(fields[4])),
        fstype=fstype,
        shared=any(field.startswith("shared:") for field in fields[6:]),
        read_only="ro" in fields[5].split(",") or "ro" in options.split(","),
    )


def _unescape(field: str) -> str:
    """Undo how the kernel writes a blank: as \\040."""
    return _ESCAPE.sub(lambda match: chr(int(match[1], 8)), field)


def _runner(prefix: Sequence[str]) -> Runner:
    def run(command: Sequence[str]) -> str:
        words = [*prefix, *command]
        try:
            done = subprocess.run(
                words,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=COMMAND_TIMEOUT,
                check=False,
                env={**os.environ, "LC_ALL": "C.UTF-8"},
            )
        except FileNotFoundError as error:
            raise ToolError(f"There is no {error.filename} here", status=UNKNOWN) from None
        except subprocess.TimeoutExpired:
            sentence = f"{' '.join(command)} did not end within {COMMAND_TIMEOUT:g} s"
            raise ToolError(sentence, status=UNKNOWN) from None
        if done.returncode != 0:
            reason = (done.stderr.strip() or done.stdout.strip()).splitlines()[:1]
            why = reason[0] if reason else f"exit status {done.returncode}"
            raise ToolError(f"{' '.join(command)} failed: {why}", status=UNKNOWN)
        return done.stdout

    return run


def this_host() -> Host:
    """Return the host that this process runs on, seen from inside or outside of a container."""
    proc = Path("/proc")
    if (HOST_ROOT / "etc").is_dir():
        return Host(HOST_ROOT, proc, _runner(("nsenter", "--target", "1", "--mount", "--")))
    return Host(Path("/"), proc, _runner(()))
