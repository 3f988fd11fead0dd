# SPDX-License-Identifier: GPL-2.0-or-later
"""The small protocols by which systemd starts, watches and logs a service.

Sources: sd_listen_fds(3), sd_notify(3), and conmon(8) for the journal.
"""

import logging
import os
import socket
import sys
from dataclasses import dataclass
from typing import Final

_FIRST_FD: Final = 3

WATCHDOG_ENV: Final = "VDSM_WATCHDOG_USEC"
"""Our own name for WATCHDOG_USEC: podman does not pass systemd's into a container."""

METRICS_FD: Final = "metrics"
"""The FileDescriptorName= of the sockets that metrics are served on; podman hands the names on."""


@dataclass(frozen=True)
class Passed:
    """The listening sockets that systemd passed in, each kind in the order of its socket unit."""

    calls: list[socket.socket]
    metrics: list[socket.socket]
    """Those that their unit named METRICS_FD."""


def listen_fds() -> Passed:
    """Take the sockets that systemd passed in.

    LISTEN_PID is not compared: podman sets it to 1, which is wrong with the host's pid namespace.
    The variables are removed, so that child processes do not take the sockets for theirs.
    """
    count = int(os.environ.pop("LISTEN_FDS", "0"))
    names = os.environ.pop("LISTEN_FDNAMES", "").split(":")
    os.environ.pop("LISTEN_PID", None)
    passed = Passed([], [])
    for fd, name in zip(range(_FIRST_FD, _FIRST_FD + count), [*names, *[""] * count], strict=False):
        os.set_inheritable(fd, False)
        kind = passed.metrics if name == METRICS_FD else passed.calls
        kind.append(socket.socket(fileno=fd))
    return passed


def notify(state: str, address: str = "") -> bool:
    """Send `state` (such as "READY=1") to the service manager, at `address` or at NOTIFY_SOCKET.

    Returns whether there is a service manager to tell: False without NOTIFY_SOCKET. A manager that
    went away is not an error of the service, and a want of descriptors passes, so OSError is not
    raised but also returns False.
    """
    address = address or os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return False
    if address.startswith("@"):
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
            sock.sendto(state.encode(), address)
    except OSError:
        return False
    return True


def watchdog_interval() -> float | None:
    """Return how many seconds may pass between two WATCHDOG=1, None when nobody watches.

    Raises ValueError when the variable is not a positive number of microseconds.
    """
    text = os.environ.get(WATCHDOG_ENV, "")
    if not text:
        return None
    microseconds = int(text)
    if microseconds <= 0:
        raise ValueError(f"{WATCHDOG_ENV}={text}: expected a positive number of microseconds")
    return microseconds / 1_000_000


def log_to_journal(level: str) -> None:
    """Log from `level` on: up to INFO to stdout, the rest to stderr.

    Podman's journald driver gives stdout the priority "info" and stderr "err", and knows no prefix.
    """
    calm = logging.StreamHandler(sys.stdout)
    calm.addFilter(lambda record: record.levelno < logging.WARNING)
    alarmed = logging.StreamHandler(sys.stderr)
    alarmed.setLevel(logging.WARNING)
    logging.basicConfig(
        level=level,
        format="%(levelname)s %(name)s: %(message)s",
        handlers=[calm, alarmed],
        force=True,
    )
