# SPDX-License-Identifier: GPL-2.0-or-later
"""What rtnetlink does not tell of a device: speed and duplex.

Source: Documentation/ABI/testing/sysfs-class-net.
"""

import errno
import os
from pathlib import Path
from typing import Final

_MAX_BYTES: Final = 4096
"""sysfs gives at most one page."""
_UNKNOWN_SPEEDS: Final = frozenset({65535, 4294967295})
"""What drivers say for "unknown" in 16 and in 32 bits."""


class DeviceVanished(Exception):
    """The device is gone since netlink named it."""


class ClassNet:
    """/sys/class/net of the network namespace that the sysfs at `sysfs` was mounted in."""

    def __init__(self, sysfs: Path) -> None:
        self._root = str(sysfs / "class/net")

    def speed(self, name: str) -> int:
        """Return Mbit/s, 0 when the device does not know it. Raises DeviceVanished."""
        try:
            value = int(self._read(name, "speed"))
        except ValueError:
            return 0
        return 0 if value < 0 or value in _UNKNOWN_SPEEDS else value

    def duplex(self, name: str) -> str:
        """Return full, half or unknown. Raises DeviceVanished."""
        return self._read(name, "duplex") or "unknown"

    def _read(self, name: str, file: str) -> str:
        """Return the text of a file; empty when the driver has no value (EINVAL, EOPNOTSUPP …)."""
        try:
            fd = os.open(f"{self._root}/{name}/{file}", os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise _vanished(name, error) from error
        try:
            return os.read(fd, _MAX_BYTES).decode(errors="replace").strip()
        except OSError as error:
            if error.errno == errno.ENODEV:
                raise DeviceVanished(name) from error
            return ""
        finally:
            os.close(fd)


def _vanished(name: str, error: OSError) -> Exception:
    return DeviceVanished(name) if error.errno in {errno.ENOENT, errno.ENODEV} else error
