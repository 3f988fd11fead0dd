# SPDX-License-Identifier: GPL-2.0-or-later
"""What vdsm-upgrade.service tells, for the one who started it: a file that a reboot forgets.

Nothing is decided by it. The journal has the same lines.
"""

import sys
import time
from contextlib import suppress

from vdsm_tool.host import Host
from vdsm_tool.upgrade import paths
from vdsm_tool.upgrade.model import Tell


def to_terminal(line: str) -> None:
    """Tell a person, beside the result on standard output."""
    print(line, file=sys.stderr, flush=True)


def to_all(host: Host) -> Tell:
    """Return what tells the journal and the one who waits."""
    path = host.path(paths.PROGRESS)
    start = time.monotonic()

    def tell(line: str) -> None:
        to_terminal(line)
        with suppress(OSError), path.open("a") as file:  # lost progress stops nothing
            file.write(f"{time.monotonic() - start:6.1f} s  {line}\n")

    return tell


class Follower:
    """Passes on what is told from now on."""

    def __init__(self, host: Host, tell: Tell) -> None:
        self._path = host.path(paths.PROGRESS)
        self._tell = tell
        self._read = 0
        with suppress(OSError):
            self._path.unlink(missing_ok=True)

    def poll(self) -> None:
        """Tell the whole lines that came since the last call."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._read)
                data = file.read()
        except OSError:
            return
        whole = data[: data.rfind(b"\n") + 1]
        self._read += len(whole)
        for line in whole.decode(errors="replace").splitlines():
            self._tell(line)
