# SPDX-License-Identifier: GPL-2.0-or-later
"""Who is at the other end of a connection, as the kernel says, and whether it may be there.

Root may. vdsm's uid may only from inside vdsm's own service: uid 36 elsewhere on the host (a VM's
helper, a login) is not vdsm. The process is pinned by a pidfd while its control group is read, so
that a reused pid is not mistaken for it.
"""

import errno
import os
import select
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from vdsm_contract.errors import PeerRefused
from vdsm_contract.paths import VDSM_CGROUP, VDSM_UID

_SO_PEERPIDFD: Final = 77
"""Linux 6.5; unix(7). The number is the same on all architectures that oVirt runs on."""

_CREDENTIALS: Final = struct.Struct("iII")


@dataclass(frozen=True)
class Peer:
    """A process at the other end. `name` is what audit lines call it."""

    pid: int
    uid: int
    name: str

    @property
    def is_root(self) -> bool:
        """Whether this is an operator's tool (or our own probe), which may call without Hello."""
        return self.uid == 0


PROBE: Final = Peer(pid=os.getpid(), uid=0, name="probe")
"""The watchdog's own connection."""


@dataclass(frozen=True)
class Admission:
    """Who may come in: root, and `vdsm_uid` from a process in `vdsm_cgroup` or below."""

    vdsm_uid: int = VDSM_UID
    vdsm_cgroup: str = VDSM_CGROUP
    proc: Path = Path("/proc")

    def admit(self, sock: socket.socket) -> Peer:
        """Return the peer of `sock`. Raises PeerRefused."""
        pid, uid, _gid = _CREDENTIALS.unpack(
            sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        )
        if pid == 0:
            raise PeerRefused(reason="it is outside of our pid namespace")
        if uid == 0:
            return Peer(pid, uid, f"root[{pid}]")
        if uid != self.vdsm_uid:
            raise PeerRefused(reason=f"uid {uid} (pid {pid}) is neither vdsm's nor root's")
        self._check_cgroup(sock, pid, uid)
        return Peer(pid, uid, f"vdsm[{pid}]")

    def _check_cgroup(self, sock: socket.socket, pid: int, uid: int) -> None:
        with _pinned(sock) as ended:
            try:
                text = (self.proc / str(pid) / "cgroup").read_text(errors="backslashreplace")
            except OSError:
                text = ""
            if ended():
                raise PeerRefused(reason=f"pid {pid} has ended")
        group = unified_cgroup(text)
        if group != self.vdsm_cgroup and not group.startswith(self.vdsm_cgroup + "/"):
            raise PeerRefused(
                reason=f"uid {uid} (pid {pid}) is in {group or 'no cgroup'}, "
                f"not in {self.vdsm_cgroup}"
            )


def unified_cgroup(text: str) -> str:
    """Return the cgroup2 path in the text of /proc/PID/cgroup; empty if there is none.

    The name of a group may have any character but a newline, those that splitlines() takes for
    one included. A path that leaves our own cgroup namespace (it begins with `/..`) is no place of
    vdsm's either.
    """
    for line in text.split("\n"):
        if line.startswith("0::"):
            path = line.removeprefix("0::")
            return "" if ".." in path.split("/") else path
    return ""


@contextmanager
def _pinned(sock: socket.socket) -> Iterator[Callable[[], bool]]:
    """Pin the peer by its pidfd; yield a function that tells whether it has ended.

    On a kernel without SO_PEERPIDFD nothing can be pinned, and nothing is known to have ended.
    Raises PeerRefused where the kernel has it and gives none: the peer was reaped already (ESRCH or
    EINVAL until Linux 6.16), or we are out of descriptors.
    """
    try:
        fd = sock.getsockopt(socket.SOL_SOCKET, _SO_PEERPIDFD)
    except OSError as error:
        if error.errno != errno.ENOPROTOOPT:
            raise PeerRefused(reason=f"it cannot be pinned: {error.strerror}") from None
        yield lambda: False
        return
    try:
        poll = select.poll()
        poll.register(fd, select.POLLIN)
        yield lambda: bool(poll.poll(0))
    finally:
        os.close(fd)
