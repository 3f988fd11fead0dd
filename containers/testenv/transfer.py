# SPDX-License-Identifier: GPL-2.0-or-later
"""Copying files and directories between this machine and disposable ones, as ``cp -r`` would."""

import subprocess
from dataclasses import dataclass

from testenv.machine import Machine
from testenv.report import Failed

# Both run where the file is. A directory travels as a tar stream, a file as its bytes.
_KIND = 'if [ -d "$1" ]; then echo directory; else stat -L -c %a -- "$1"; fi'
_SEND_DIRECTORY = 'exec tar -C "$1" -cf - .'
_SEND_FILE = 'exec cat -- "$1"'
_PLACE = """\
target=$1
case $target in
    */) target=$target$2;;
    *) if [ -d "$target" ]; then target=$target/$2; fi;;
esac
"""
_RECEIVE_DIRECTORY = _PLACE + 'mkdir -p -- "$target" && exec tar -C "$target" -xpf -'
_RECEIVE_FILE = (
    _PLACE + 'mkdir -p -- "$(dirname -- "$target")" && cat >"$target" && chmod "$3" "$target"'
)


@dataclass(frozen=True)
class Place:
    """A path, in a machine or (None) on this one."""

    machine: Machine | None
    path: str

    def command(self, script: str, *args: str) -> list[str]:
        argv = ["sh", "-c", script, "copy", self.path, *args]
        return argv if self.machine is None else self.machine.enter(argv)

    def __str__(self) -> str:
        return self.path if self.machine is None else f"{self.machine.name}:{self.path}"


def copy(source: Place, target: Place) -> None:
    """Copy a file (with its mode) or a directory (with owners and modes, into what is there).

    Raises:
        Failed: the source cannot be read or the target not written.
    """
    asked = subprocess.run(
        source.command(_KIND), stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    if asked.returncode != 0:
        raise Failed(f"cannot copy {source}: {asked.stderr.decode(errors='replace').strip()}")
    kind = asked.stdout.decode().strip()
    name = source.path.rstrip("/").rpartition("/")[2]
    if kind == "directory":
        send, receive = source.command(_SEND_DIRECTORY), target.command(_RECEIVE_DIRECTORY, name)
    else:
        send, receive = source.command(_SEND_FILE), target.command(_RECEIVE_FILE, name, kind)
    with subprocess.Popen(send, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as sender:
        received = subprocess.run(receive, stdin=sender.stdout, check=False)
    if sender.returncode != 0 or received.returncode != 0:
        raise Failed(f"copying {source} to {target} failed")
