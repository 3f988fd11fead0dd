# SPDX-License-Identifier: GPL-2.0-or-later
"""What both ends of the mailbox remember between two looks at it. Pure: bytes in, bytes out.

A request goes through four states: the host writes it, the SPM answers in the same slot, the host
writes CLEAN, the SPM answers CLEAN, and the host empties the slot. Who was killed in between finds
the state on the disk.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from vdsm.storage.formats import mailbox
from vdsm.storage.formats.mailbox import CLEAN, EMPTY, EMPTY_MAILBOX, MAILBOX_SIZE, MESSAGES


@dataclass(frozen=True, slots=True)
class Request:
    """A message that a host wrote; `slot` is where the answer goes."""

    host_id: int
    slot: int
    message: bytes


@dataclass(slots=True)
class News:
    """What the SPM found in the inbox: `cleaned` hosts want their mailbox written, `broken` ones
    have a wrong checksum."""

    requests: list[Request] = field(default_factory=list)
    cleaned: set[int] = field(default_factory=set)
    broken: set[int] = field(default_factory=set)


class SpmMail:
    """The SPM's end, for host ids from 1 to `max_host_id`. What is in the place of host id 0 is
    nobody's: newer releases ring a bell there, which one who looks regularly needs not hear."""

    def __init__(self, max_host_id: int) -> None:
        self._hosts = range(1, max_host_id + 1)
        self._seen: dict[int, bytes] = {}
        self._answers: dict[int, bytes] = {}

    def take(self, inbox: bytes) -> News:
        """Looks at the inbox from its begin; what was seen before is no news."""
        news = News()
        for host_id in self._hosts:
            start = host_id * MAILBOX_SIZE
            current = inbox[start : start + MAILBOX_SIZE]
            before = self._seen.get(host_id, EMPTY_MAILBOX)
            if current == before or len(current) < MAILBOX_SIZE:
                continue
            if not mailbox.is_sealed(current):
                # Torn, or being written: the next look may see it whole.
                news.broken.add(host_id)
                continue
            self._seen[host_id] = current
            self._compare(host_id, before, current, news)
        return news

    def answer(self, host_id: int, slot: int, message: bytes) -> None:
        """Puts an answer into a slot of a host's mailbox."""
        current = self._answers.get(host_id, EMPTY_MAILBOX)
        self._answers[host_id] = mailbox.with_message(current, slot, message)

    def outgoing(self, host_id: int) -> bytes:
        """The mailbox of a host as it is to be in the outbox."""
        return self._answers.get(host_id, EMPTY_MAILBOX)

    def _compare(self, host_id: int, before: bytes, current: bytes, news: News) -> None:
        pairs = zip(mailbox.messages(before), mailbox.messages(current), strict=True)
        for slot, (old, new) in enumerate(pairs):
            if new == old or mailbox.is_empty(new):
                continue
            if new == CLEAN:
                self.answer(host_id, slot, CLEAN)
                news.cleaned.add(host_id)
            else:
                news.requests.append(Request(host_id, slot, new))


class MailboxFull(Exception):
    """All slots wait for an answer."""


class HostMail:
    """A host's end. `seen` is what its place in the outbox had when it began."""

    def __init__(self, seen: bytes) -> None:
        self._seen = seen
        self._waiting: dict[int, bytes] = {}
        self._outgoing = EMPTY_MAILBOX

    @property
    def is_idle(self) -> bool:
        """Whether no slot waits for anything."""
        return not self._waiting

    def add(self, message: bytes) -> bool:
        """Puts a request into a free slot; False when the same one waits already. Raises
        MailboxFull."""
        if message in self._waiting.values():
            return False
        for slot in range(MESSAGES):
            if slot not in self._waiting:
                self._put(slot, message)
                self._waiting[slot] = message
                return True
        raise MailboxFull(f"{MESSAGES} requests wait for the SPM")

    def take(self, current: bytes) -> list[tuple[bytes, bytes]]:
        """Looks at the host's place in the outbox: (request, answer) for each that is new."""
        answered: list[tuple[bytes, bytes]] = []
        old, new = mailbox.messages(self._seen), mailbox.messages(current)
        self._seen = current
        for slot, request in list(self._waiting.items()):
            if new[slot] == old[slot] or mailbox.is_empty(new[slot]):
                continue
            if new[slot] == CLEAN:
                self._put(slot, EMPTY)
                del self._waiting[slot]
            elif request != CLEAN:
                self._put(slot, CLEAN)
                self._waiting[slot] = CLEAN
                answered.append((request, new[slot]))
        return answered

    def outgoing(self) -> bytes:
        """The host's mailbox as it is to be in the inbox."""
        return mailbox.seal(self._outgoing)

    def _put(self, slot: int, message: bytes) -> None:
        self._outgoing = mailbox.with_message(self._outgoing, slot, message)
