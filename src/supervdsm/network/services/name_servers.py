# SPDX-License-Identifier: GPL-2.0-or-later
"""Name servers of a lease: those that the default route's network is told become the host's.

A client cannot write the host's resolv.conf: its container does not have the host's files, and
shall not. It notes what it was told, and this, in supervdsm, carries it over. While supervdsm is
down nothing is carried over; its next start does what was missed.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Final

from supervdsm.common.inotify import Watch
from supervdsm.network.services.leases import Leases
from supervdsm.network.services.wishes import Wishes

_log: Final = logging.getLogger(__name__)


class NameServers:
    """Carries name servers from leases to resolv.conf, which `read` and `write` stand for."""

    def __init__(
        self,
        read: Callable[[], Sequence[str]],
        write: Callable[[Sequence[str]], None],
        wishes: Wishes | None = None,
        leases: Leases | None = None,
    ) -> None:
        self._read = read
        self._write = write
        self._wishes = wishes or Wishes()
        self._leases = leases or Leases()

    def told(self) -> tuple[str, ...]:
        """Return what the client of the default route's network was told. Raises OSError."""
        for instance, wish in self._wishes.all().items():
            # A wish that was cut off before its client started has no lease.
            if wish.dhcp.default_route and (told := self._leases.read(instance).nameservers):
                return told
        return ()

    def carry(self) -> None:
        """Write the name servers that are told into resolv.conf; none told leave it as it is.
        Raises OSError.
        """
        told = self.told()
        if told and list(told) != list(self._read()):
            _log.info("Name servers by DHCP: %s", ", ".join(told))
            self._write(told)

    def start(self) -> threading.Thread:
        """Carry now and whenever a lease or a wish changes, in a thread of its own, which is
        returned. Without the directories of both (tmpfiles.d makes them) it ends at once.
        """
        thread = threading.Thread(target=self._run, name="name-servers", daemon=True)
        thread.start()
        return thread

    def _run(self) -> None:
        try:
            watch = Watch((self._wishes.directory, self._leases.directory))
        except OSError as error:
            _log.warning("Name servers of DHCP are not used: %s", error)
            return
        while True:
            try:
                self.carry()
            except OSError as error:
                _log.warning("Name servers of DHCP: %s", error)
            watch.wait()
