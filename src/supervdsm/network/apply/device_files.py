# SPDX-License-Identifier: GPL-2.0-or-later
"""What can be set of a device only by a file: its IPv6 sysctls, and some options in sysfs.

Source: Documentation/networking/ip-sysctl.rst, Documentation/ABI/testing/sysfs-class-net.
"""

import errno
import os
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from supervdsm.network.plan.state import Ipv6

_IPV6_CONF: Final = "sys/net/ipv6/conf"
_CLASS_NET: Final = "class/net"
_OPTIONS: Final = {"bond": "bonding", "bridge": "bridge"}


class DeviceFiles:
    """The files of the network namespace that the opening thread is in; `sysfs` must be mounted in
    the same one.

    The directories are opened once: a change of 1,000 networks writes 4,000 sysctls. Methods raise
    OSError.
    """

    def __init__(self, proc: Path, sysfs: Path) -> None:
        self._proc = proc / _IPV6_CONF
        self._sysfs = sysfs / _CLASS_NET
        self._ipv6_conf = -1
        self._class_net = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for fd in (self._ipv6_conf, self._class_net):
            if fd >= 0:
                os.close(fd)
        self._ipv6_conf = self._class_net = -1

    def set_ipv6(self, name: str, ipv6: Ipv6) -> None:
        """Set a device's sysctls of IPv6.

        IPv6 is turned off before the rest and on after it, so that no router advertisement comes
        in under the wrong rules. A device without IPv6 (the kernel has none, or the MTU is below
        1280) has it turned off already.
        """
        values = [
            ("accept_ra", ipv6.accept_ra),
            ("accept_ra_defrtr", int(ipv6.defrtr)),
            ("autoconf", int(ipv6.autoconf)),
        ]
        values.insert(0 if ipv6.disabled else len(values), ("disable_ipv6", int(ipv6.disabled)))
        try:
            if self._ipv6_conf < 0:
                self._ipv6_conf = _directory(self._proc)
            for file, value in values:
                _write(self._ipv6_conf, f"{_component(name)}/{file}", str(value))
        except FileNotFoundError:
            if not ipv6.disabled:
                reason = "the kernel gives it no IPv6; its MTU must be at least 1280"
                raise OSError(errno.ENOENT, reason) from None

    def set_option(self, name: str, kind: str, option: str, value: str) -> None:
        """Set an option of a bond or bridge."""
        if self._class_net < 0:
            self._class_net = _directory(self._sysfs)
        path = f"{_component(name)}/{_OPTIONS[kind]}/{_component(option)}"
        _write(self._class_net, path, value)


def _directory(path: Path) -> int:
    return os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)


def _component(name: str) -> str:
    """Return `name` if it is one component of a path, and not a way out."""
    if not name or "/" in name or "\0" in name or name in {".", ".."}:
        raise OSError(errno.EINVAL, f"{name!r} is not the name of a file")
    return name


def _write(directory: int, path: str, value: str) -> None:
    """Write a file that exists with one write(2)."""
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC, dir_fd=directory)
    try:
        os.write(fd, value.encode())
    finally:
        os.close(fd)
