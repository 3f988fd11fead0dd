# SPDX-License-Identifier: GPL-2.0-or-later
"""Who is subscribed to which destination, for all connections together.

Destinations form a hierarchy by their dots, as upstream's do: a subscriber of `jms.queue` also
gets what is sent to `jms.queue.events`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from vdsm.jsonrpc.stomp import Frame


@dataclass(frozen=True, slots=True, eq=False)
class Subscription:
    """One SUBSCRIBE of one connection; `deliver` puts a frame into that connection."""

    id: str
    destination: str
    deliver: Callable[[Frame], None]

    def covers(self, destination: str) -> bool:
        """Whether it is for this destination or for a parent of it."""
        return destination == self.destination or destination.startswith(self.destination + ".")


def ancestry(destination: str) -> Iterator[str]:
    """`a.b.c`, then `a.b`, then `a`."""
    while destination:
        yield destination
        destination = destination.rpartition(".")[0]


class Broker:
    """The table of subscriptions. Used on the event loop's thread only."""

    def __init__(self) -> None:
        self._table: dict[str, list[Subscription]] = {}

    def add(self, subscription: Subscription) -> None:
        self._table.setdefault(subscription.destination, []).append(subscription)

    def remove(self, subscription: Subscription) -> None:
        """Raises KeyError when it was never added."""
        there = self._table[subscription.destination]
        there.remove(subscription)
        if not there:
            del self._table[subscription.destination]

    def subscribers(self, destination: str) -> list[Subscription]:
        """The subscribers of a destination and of its parents."""
        return [s for name in ancestry(destination) for s in self._table.get(name, ())]

    def publish(self, destination: str, headers: dict[str, str], body: bytes) -> int:
        """Sends a MESSAGE to every subscriber; returns how many there were."""
        subscribers = self.subscribers(destination)
        for subscription in subscribers:
            extra = {"destination": destination, "subscription": subscription.id}
            subscription.deliver(Frame("MESSAGE", {**headers, **extra}, body))
        return len(subscribers)
