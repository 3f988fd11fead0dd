# SPDX-License-Identifier: GPL-2.0-or-later
"""What is kept of a machine that will soon be gone: journals, and the state of what runs in it.

No keys and no certificates: whoever may see the result of a CI run may see these files.
"""

from pathlib import Path
from typing import Final

from testenv.commands import run
from testenv.machine import Machine
from testenv.report import Failed, progress

LIMIT: Final = 120.0
"""Seconds that all of it may take; each command in the machine has 20."""

# FILE: COMMAND. A command that fails leaves what it said.
_WANTED: Final = """\
vdsm.journal: journalctl --no-pager --output=short-precise --unit=vdsm.service --unit=vdsm.socket
supervdsm.journal: journalctl --no-pager --output=short-precise --unit=supervdsm.service \
--unit=supervdsm.socket
machine.journal: journalctl --no-pager --output=short-precise
kernel.log: journalctl --no-pager --dmesg
units.txt: systemctl --no-pager --full status 'vdsm*' 'supervdsm*'
failed-units.txt: systemctl --no-pager --failed
properties.txt: systemctl --no-pager show vdsm.service supervdsm.service
containers.txt: podman ps --all --no-trunc
images.txt: podman images --all --digests --no-trunc
vdsm.inspect.json: podman container inspect vdsm
supervdsm.inspect.json: podman container inspect supervdsm
status.json: vdsm-tool status --json
config.json: vdsm-tool config --json
network.txt: ip -details address
routes.txt: sh -c 'ip rule; ip route show table all; ip -6 rule; ip -6 route show table all'
mounts.txt: findmnt
processes.txt: ps -eww -o pid,ppid,user,lstart,args --forest
space.txt: sh -c 'df -h; free -m'
"""

_SCRIPT: Final = """\
set -u
directory=$(mktemp -d)
chmod 755 "$directory"
trap 'rm -rf "$directory"' EXIT
while IFS= read -r line; do
    file=${line%%: *}
    eval "timeout --kill-after=1 20 ${line#*: }" >"$directory/$file" 2>&1 </dev/null
done
tar -C "$directory" -cf - .
"""


def collect(machine: Machine, directory: Path) -> None:
    """Write the files below `directory`, as far as the machine can still be asked.

    Raises:
        Failed: the directory cannot be written.
    """
    make_directory(directory)
    if machine.console_log.exists():
        _write(directory / "console.log", machine.console_log.read_bytes())
    if not machine.running():
        progress(f"{machine.title} {machine.name} does not run: only its console is kept")
        return
    try:
        sent = machine.run("sh", "-c", _SCRIPT, stdin=_WANTED.encode(), limit=LIMIT)
        run("tar", "-C", directory, "--no-same-owner", "-xf", "-", stdin=sent.stdout)
    except Failed as error:
        progress(f"{machine.title} {machine.name} cannot be asked for its journals: {error}")


def make_directory(directory: Path) -> None:
    """Make `directory` unless it is there. Raises Failed."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Failed(f"{error.filename} cannot be made: {error.strerror}") from None


def _write(path: Path, data: bytes) -> None:
    try:
        path.write_bytes(data)
    except OSError as error:
        raise Failed(f"{path} cannot be written: {error.strerror}") from None
