# SPDX-License-Identifier: GPL-2.0-or-later
"""Loop devices: the one thing in a test host that belongs to the whole kernel.

A device that a test attached and did not detach outlives the host. It is found by its backing
file, which is looked up in the host's own mount namespace.
"""

import fcntl
import os
import struct
from contextlib import suppress
from pathlib import Path

# linux/loop.h
LOOP_CLR_FD = 0x4C01
LOOP_GET_STATUS64 = 0x4C05
_INFO64_SIZE = 232
_DEVICE_AND_INODE = struct.Struct("=QQ")  # lo_device, lo_inode


def devices_of(leader: int) -> list[Path]:
    """Return the loop devices whose backing file lies in the mount namespace of `leader`."""
    found = []
    for block in sorted(Path("/sys/block").glob("loop*")):
        with suppress(OSError):  # not attached, or gone meanwhile
            name = (block / "loop/backing_file").read_text().strip()
            device = Path("/dev") / block.name
            seen = (Path(f"/proc/{leader}/root") / name.lstrip("/")).stat()
            if _backing_file(device) == (seen.st_dev, seen.st_ino):
                found.append(device)
    return found


def detach(devices: list[Path]) -> None:
    for device in devices:
        with suppress(OSError):  # it had autoclear set and went with its mount
            _control(device, LOOP_CLR_FD, b"")


def _backing_file(device: Path) -> tuple[int, int]:
    """Return (st_dev, st_ino) of what `device` is attached to."""
    info = _control(device, LOOP_GET_STATUS64, bytes(_INFO64_SIZE))
    lo_device, inode = _DEVICE_AND_INODE.unpack_from(info)
    return _decode_device(lo_device), inode


def _decode_device(encoded: int) -> int:
    """Undo the kernel's huge_encode_dev(), which glibc's makedev() shares."""
    return os.makedev(os.major(encoded), os.minor(encoded))


def _control(device: Path, request: int, argument: bytes) -> bytes:
    descriptor = os.open(device, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if not argument:
            fcntl.ioctl(descriptor, request)
            return b""
        return fcntl.ioctl(descriptor, request, argument)
    finally:
        os.close(descriptor)
