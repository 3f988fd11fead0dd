# SPDX-License-Identifier: GPL-2.0-or-later
"""What is known of devices, addresses and default routes, kept up by rtnetlink's events.

An event of a device says all of it, and replaces what was known; it is decoded when it is asked
for. An event of an address or a route only makes the next reading dump them anew: their order
cannot be told from events, and the kernel drops the IPv4 routes of a device that goes down without
a word. No I/O.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from supervdsm.network.kernel import addresses, links
from supervdsm.network.kernel.model import IFF_RUNNING, IFF_UP, Address, Link, Route
from supervdsm.network.kernel.socket import HEADER

_UP: Final = IFF_UP | IFF_RUNNING
_ADDRESSES: Final = frozenset({addresses.RTM_NEWADDR, addresses.RTM_DELADDR})


@dataclass(frozen=True, slots=True)
class Change:
    """A device went up (IFF_UP and IFF_RUNNING) or down. `time` is in seconds since the epoch."""

    link: Link
    up: bool
    time: float


class Tables:
    """`addresses` and `routes` are None when they must be dumped anew."""

    def __init__(self) -> None:
        self.addresses: tuple[Address, ...] | None = None
        self.routes: tuple[Route, ...] | None = None
        self._links: dict[int, Link | memoryview] = {}
        self._up: dict[int, bool] = {}
        self._changes: list[Change] = []
        self._filled = False

    def links(self) -> tuple[Link, ...]:
        """Return the devices."""
        for index, known in self._links.items():
            if isinstance(known, memoryview):
                self._links[index] = links.decode(known)
        return tuple(known for known in self._links.values() if isinstance(known, Link))

    @property
    def changed(self) -> bool:
        """Whether devices went up or down since `take_changes`."""
        return bool(self._changes)

    def take_changes(self) -> list[Change]:
        """Return what devices went up or down since the last call."""
        changes, self._changes = self._changes, []
        return changes

    def fill(self, dump: Iterable[Link], now: float) -> None:
        """Take a dump of all devices for what is. Of the first one, nothing is a change."""
        self.addresses = self.routes = None
        self.replace(dump, now)

    def replace(self, dump: Iterable[Link], now: float) -> None:
        """Take a dump of all devices, in addition to the events."""
        found = {link.index: link for link in dump}
        if self._filled:
            for gone in self.links():
                if gone.index not in found:
                    self._note(gone, False, now)
            for link in found.values():
                self._note(link, link.up, now)
        self._links = dict(found)
        self._up = {index: link.up for index, link in found.items()}
        self._filled = True

    def apply(self, message: memoryview, now: float) -> None:
        """Take an event."""
        _, kind, _, _, _ = HEADER.unpack_from(message)
        if kind in _ADDRESSES:
            self.addresses = self.routes = None
            return
        self.routes = None
        if kind not in {links.RTM_NEWLINK, links.RTM_DELLINK} or not links.is_about_device(message):
            return
        index = links.index(message)
        up = kind == links.RTM_NEWLINK and links.flags(message) & _UP == _UP
        if up is not self._up.get(index, False):
            self._changes.append(Change(links.decode(message), up, now))
        if kind == links.RTM_NEWLINK:
            self._links[index], self._up[index] = message, up
        else:
            self.addresses = None
            self._links.pop(index, None)
            self._up.pop(index, None)

    def _note(self, link: Link, up: bool, now: float) -> None:
        if up is not self._up.get(link.index, False):
            self._changes.append(Change(link, up, now))
