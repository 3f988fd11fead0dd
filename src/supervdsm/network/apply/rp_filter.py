# SPDX-License-Identifier: GPL-2.0-or-later
"""Reverse path filtering of a device: which packets are taken for forged (RFC 3704).

Source: Documentation/networking/ip-sysctl.rst, `rp_filter`. The kernel goes by the larger one of
the device's value and `all`'s.
"""

import errno
import os
from pathlib import Path
from typing import Final

from vdsm_contract.errors import DeviceUnavailable

STRICT: Final = 1
LOOSE: Final = 2
_CONF: Final = "sys/net/ipv4/conf"
_NO_DEVICES: Final = frozenset({"", ".", "..", "all", "default"})
"""Other names that the directory of devices has, or any directory."""
_MISSING: Final = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG})


def set_rp_filter(proc: Path, device: str, mode: int) -> None:
    """Have a device of this process' network namespace filter STRICT or LOOSE.

    `proc` is procfs. Raises DeviceUnavailable.
    """
    if device in _NO_DEVICES or "/" in device or not device.isprintable():
        raise DeviceUnavailable(device, "is not the name of a device")
    try:
        fd = os.open(proc / _CONF / device / "rp_filter", os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(fd, f"{mode}\n".encode())
        finally:
            os.close(fd)
    except OSError as error:
        if error.errno in _MISSING:
            raise DeviceUnavailable(device, "there is no such device, or it has no IPv4") from None
        raise DeviceUnavailable(device, error.strerror or str(error)) from error
