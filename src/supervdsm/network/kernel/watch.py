# SPDX-License-Identifier: GPL-2.0-or-later
"""Who waits for devices of networks to go up or down, and what happened before they asked.

A change has a number. A cursor is the number of the last change that somebody knows of, together
with the name of this instance: numbers start anew with the next one. The last thousand changes are
kept.
"""

import logging
import os
import secrets
import threading
from collections import defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import Final, Literal

from supervdsm.common import call
from supervdsm.network.config import Configuration
from supervdsm.network.kernel.devices import NicPatterns, Role, role
from supervdsm.network.kernel.tables import Change
from vdsm_contract.types import LinkChange, LinkChanges

_log: Final = logging.getLogger(__name__)

KEPT: Final = 1000
_MAX_DIGITS: Final = 19
_KINDS: Final[Mapping[Role | None, Literal["nic", "bond", "vlan"]]] = {
    Role.NIC: "nic",
    Role.BOND: "bond",
    Role.VLAN: "vlan",
}


class LinkWatch:
    """Changes of the devices of networks. May be used by many threads.

    `running` returns the networks that there are; `patterns` says which devices are NICs.
    """

    def __init__(self, running: Callable[[], Configuration], patterns: NicPatterns) -> None:
        self._running = running
        self._patterns = patterns
        self._instance = secrets.token_hex(8)
        self._guard = threading.Lock()
        self._bells: set[int] = set()  # an eventfd for each who waits: poll(2) knows no Condition
        self._kept: deque[LinkChange] = deque(maxlen=KEPT)
        self._count = 0
        self._ended = False

    def tell(self, changes: Sequence[Change]) -> None:
        """Take what the kernel told; who waits for it is woken."""
        shown = [
            (change, kind)
            for change in changes
            if (kind := _KINDS.get(role(change.link, self._patterns))) is not None
        ]
        # Not asked for nothing: on a host of many networks it takes some milliseconds.
        users = devices_of(self._running()) if shown else {}
        found = [
            LinkChange(
                device=change.link.name,
                kind=kind,
                state="up" if change.up else "down",
                networks=users[change.link.name],
                time=change.time,
            )
            for change, kind in shown
            if change.link.name in users
        ]
        if not found:
            return
        for one in found:
            _log.info("%s %s of %s: %s", one.kind, one.device, ", ".join(one.networks), one.state)
        with self._guard:
            self._kept.extend(found)
            self._count += len(found)
            self._ring()

    def after(self, cursor: str, seconds: float) -> LinkChanges:
        """Return the changes after `cursor`, as soon as there are some; none after `seconds`, and
        none once nobody is there to read them (the caller of the call that this thread serves).

        A cursor that says nothing here (it is empty, of another instance, or of changes that are
        forgotten) is answered at once; all but the empty one, which knows of nothing, have lost
        something.
        """
        with self._guard:
            seen = self._number(cursor)
            if seen is None:
                return LinkChanges(cursor=self._cursor(), changes=[], lost=bool(cursor))
            bell = self._new_bell() if self._count == seen and not self._ended else None
        if bell is not None:
            try:
                call.wait_readable(bell, seconds)
            finally:
                self._remove(bell)
        with self._guard:
            missed = self._count - seen
            if missed > len(self._kept):
                return LinkChanges(cursor=self._cursor(), changes=[], lost=True)
            news = islice(self._kept, len(self._kept) - missed, None)
            return LinkChanges(cursor=self._cursor(), changes=list(news), lost=False)

    def end(self) -> None:
        """Let nobody wait any more."""
        with self._guard:
            self._ended = True
            self._ring()

    def _new_bell(self) -> int | None:
        """Return an eventfd that rings at the next news; None when there are no descriptors left,
        and nobody else can wait."""
        try:
            bell = os.eventfd(0, os.EFD_CLOEXEC)
        except OSError as error:
            _log.error("Nobody can wait for links: %s", error)
            return None
        self._bells.add(bell)
        return bell

    def _ring(self) -> None:
        for bell in self._bells:
            os.eventfd_write(bell, 1)

    def _remove(self, bell: int) -> None:
        with self._guard:  # so that none rings that is closed
            self._bells.remove(bell)
            os.close(bell)

    def _cursor(self) -> str:
        return f"{self._instance}:{self._count}"

    def _number(self, cursor: str) -> int | None:
        instance, _, number = cursor.partition(":")
        if instance != self._instance or not number.isdecimal() or not number.isascii():
            return None
        seen = int(number) if len(number) <= _MAX_DIGITS else self._count + 1
        return seen if self._count - len(self._kept) <= seen <= self._count else None


def devices_of(configuration: Configuration) -> dict[str, list[str]]:
    """Return, by the name of each device that carries networks, the sorted names of these.

    They are a network's NIC or bond, its VLAN, and the NICs of its bond.
    """
    found: dict[str, set[str]] = defaultdict(set)
    for name, network in configuration.networks.items():
        if not network.base:
            continue
        bond = configuration.bonds.get(network.base)
        for device in (network.base, network.southbound, *(bond.nics if bond else ())):
            found[device].add(name)
    return {device: sorted(names) for device, names in found.items()}
