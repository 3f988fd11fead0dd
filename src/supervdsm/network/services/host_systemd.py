# SPDX-License-Identifier: GPL-2.0-or-later
"""Start, stop and list our units on the host, out of supervdsm's container.

By systemctl(1) in the host's mount namespace (nsenter(1); the pid namespace is the host's already).
It is the host's own systemctl, as old as its manager, over root's private socket: that works
before the bus does, and needs neither a D-Bus library here nor a bus socket mounted. It costs a
few milliseconds beside the start of a container. The job belongs to systemd: it goes on when
supervdsm dies.

Only units of our own daemons can be named.
"""

import logging
import re
import time
from collections.abc import Sequence
from typing import Final

from supervdsm.common import command
from vdsm_contract.errors import ServiceFailed, TimedOut

ON_HOST: Final = ("nsenter", "--target", "1", "--mount", "--")

_UNITS: Final = re.compile(r"vdsm-dhcp@[A-Za-z0-9_.-]{1,200}\.service|vdsm-lldpd\.service")
_CHANGES: Final = frozenset({"restart", "stop"})
_log: Final = logging.getLogger(__name__)
_LIMIT: Final = 60.0
"""Seconds for one command, more than the units' own limits for start and stop."""
_LAST_WORDS: Final = 5
"""Lines of a container's log that explain why it failed."""


class HostSystemd:
    """The manager of the host's units; `on_host` is what runs a command there."""

    def __init__(self, on_host: Sequence[str] = ON_HOST) -> None:
        self._on_host = tuple(on_host)

    def restart(self, unit: str, container: str) -> None:
        """Start a unit, anew when it runs, and wait until it is ready. Raises ServiceFailed with
        the last words of its container.
        """
        try:
            self._run(unit, "systemctl", "restart", _checked(unit))
        except ServiceFailed as failure:
            words = self._last_words(container)
            raise ServiceFailed(unit=unit, reason=words or failure.reason) from None

    def stop(self, unit: str) -> None:
        """Stop a unit and wait for its end. Raises ServiceFailed."""
        self._run(unit, "systemctl", "stop", _checked(unit))
        # One that failed would be listed until the next reboot.
        self._call(unit, "systemctl", "reset-failed", unit)

    def started(self, pattern: str) -> frozenset[str]:
        """Return the units that run, start, end, or wait for their restart; `pattern` is one of
        shell file names. Raises ServiceFailed.
        """
        states = "--state=active,activating,reloading,deactivating"
        words = ("list-units", "--full", "--plain", "--no-legend", "--no-pager", states, pattern)
        text = self._run(pattern, "systemctl", *words)
        return frozenset(line.split()[0] for line in text.splitlines() if line.strip())

    def _last_words(self, container: str) -> str:
        words = ("--boot", "--quiet", "--no-pager", "--output=cat", f"--lines={_LAST_WORDS}")
        done = self._call(container, "journalctl", *words, f"CONTAINER_NAME={container}")
        return "; ".join(done.stdout.splitlines())

    def _run(self, unit: str, *argv: str) -> str:
        began = time.monotonic()
        done = self._call(unit, *argv)
        if argv[1] in _CHANGES:
            took = time.monotonic() - began
            _log.info("%s %s ended with %d after %.3f s", argv[1], unit, done.status, took)
        if done.status:
            reason = " ".join(done.stderr.split()) or f"{argv[0]} ended with {done.status}"
            raise ServiceFailed(unit=unit, reason=reason)
        return done.stdout

    def _call(self, unit: str, *argv: str) -> command.Result:
        try:
            # Not what is left of the call: a change that took too long must still be undone.
            return command.run([*self._on_host, *argv], limit=_LIMIT)
        except TimedOut:
            reason = f"{argv[0]} did not end within {_LIMIT:g} s"
            raise ServiceFailed(unit=unit, reason=reason) from None
        except OSError as error:
            reason = f"{self._on_host[0]}: {error.strerror}"
            raise ServiceFailed(unit=unit, reason=reason) from error


def _checked(unit: str) -> str:
    if not _UNITS.fullmatch(unit):
        raise ServiceFailed(unit=unit, reason="not a unit of ours")
    return unit
