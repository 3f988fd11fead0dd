# SPDX-License-Identifier: GPL-2.0-or-later
"""A daemon in a bare `podman run` of its image: no unit, no Quadlet, only what READY=1 needs."""

import os
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Final

TIMEOUT_S: Final = 60.0
"""Within what READY=1 must come."""

_NEEDED: Final = {
    # Root's: the host's pids to know callers, its network, and netlink's rights to read it.
    "supervdsm": [
        "--privileged",
        "--network=host",
        "--pid=host",
        "--cgroupns=host",
        "--volume=vdsm-run:/run/vdsm",
        "--volume=/var/lib/vdsm:/var/lib/vdsm",
        "--volume=/:/host:rslave",
    ],
    "vdsm": [
        "--user=36:36",
        "--network=none",
        "--volume=vdsm-run:/run/vdsm:ro",
        "--volume=/etc/pki/vdsm:/etc/pki/vdsm:ro",
        "--volume=/var/lib/vdsm:/var/lib/vdsm",
    ],
}


def start(name: str, image: str) -> float:
    """Run the daemon `name` from `image` until it is ready, then remove it; return the seconds.

    It listens on a socket of its own, handed to it as systemd does.
    """
    container = f"bench-{name}"
    with tempfile.TemporaryDirectory(prefix="bench-") as directory:
        told = Path(directory) / "notify"
        with (
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify,
            _listening(name, Path(directory)) as listening,
        ):
            notify.bind(str(told))
            notify.settimeout(TIMEOUT_S)
            # LISTEN_PID must be the pid of podman, and the descriptor 3.
            shell = f'exec 3<&{listening.fileno()}; LISTEN_PID=$$ exec podman "$@"'
            options = ["--rm", "--detach", "--pull=never", "--sdnotify=container"]
            words = ["run", f"--name={container}", *options, *_NEEDED[name], image]
            begin = time.monotonic()
            process = subprocess.Popen(
                ["sh", "-c", shell, "sh", *words],
                pass_fds=[listening.fileno()],
                env={**os.environ, "LISTEN_FDS": "1", "NOTIFY_SOCKET": str(told)},
                stdout=subprocess.DEVNULL,
            )
            try:
                while b"READY=1" not in notify.recv(4096).splitlines():
                    pass
                return time.monotonic() - begin
            finally:
                process.wait()
                remove = ["podman", "rm", "--force", "--time=0", container]
                subprocess.run(remove, check=True, stdout=subprocess.DEVNULL)


def _listening(name: str, directory: Path) -> socket.socket:
    """Listen as the daemon's socket unit does."""
    if name == "vdsm":
        return socket.create_server(("::", 0), family=socket.AF_INET6)
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(directory / "svdsm.sock"))
    listening.listen()
    return listening
