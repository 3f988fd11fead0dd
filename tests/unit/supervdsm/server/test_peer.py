# SPDX-License-Identifier: GPL-2.0-or-later
"""The peer check on what the kernel may say: names of control groups, peers that have ended."""

import errno
import os
import socket
import struct
from pathlib import Path

import pytest

from supervdsm.server.peer import Admission, unified_cgroup
from vdsm_contract.errors import PeerRefused

PID = 4711
GROUP = "/system.slice/vdsm.service"


class Told(socket.socket):
    """A connection whose peer has vdsm's uid; `pidfd` is what the kernel says of SO_PEERPIDFD."""

    pidfd: OSError

    def getsockopt(self, level: int, option: int, size: int = 0) -> bytes | int:  # type: ignore[override]
        if option == socket.SO_PEERCRED:
            return struct.pack("iII", PID, 36, 36)
        raise self.pidfd


def admit(proc: Path, text: bytes, number: int) -> str:
    (proc / str(PID)).mkdir()
    (proc / str(PID) / "cgroup").write_bytes(text)
    with Told(socket.AF_UNIX) as sock:
        sock.pidfd = OSError(number, os.strerror(number))
        return Admission(vdsm_cgroup=GROUP, proc=proc).admit(sock).name


def test_an_old_kernel_cannot_pin_the_peer(tmp_path: Path) -> None:
    assert admit(tmp_path, f"0::{GROUP}/x\n".encode(), errno.ENOPROTOOPT) == f"vdsm[{PID}]"


@pytest.mark.parametrize("number", [errno.ESRCH, errno.EINVAL, errno.EMFILE])
def test_a_peer_that_cannot_be_pinned_is_refused(tmp_path: Path, number: int) -> None:
    """Linux 6.5 to 6.15 say ESRCH or EINVAL of a peer that was reaped: its pid may be another's."""
    with pytest.raises(PeerRefused, match="pinned"):
        admit(tmp_path, f"0::{GROUP}\n".encode(), number)


def test_a_control_group_with_any_name_is_only_refused(tmp_path: Path) -> None:
    with pytest.raises(PeerRefused, match="not in"):
        admit(tmp_path, b"0::/user.slice/\xff\xfe\n", errno.ENOPROTOOPT)


@pytest.mark.parametrize("separator", ["\x0b", "\x1c", "\x85", "\u2028", "\r"])
def test_a_control_group_s_name_forges_no_line(separator: str) -> None:
    text = f"1:name=systemd:/user.slice/x{separator}0::{GROUP}\n0::/user.slice\n"
    assert unified_cgroup(text) == "/user.slice"
