# SPDX-License-Identifier: GPL-2.0-or-later
"""The two ends of the mailbox at work: reading and writing dom_md/inbox and dom_md/outbox.

Only block domains have volumes to extend; the SPM of a file domain answers that a volume has the
size that was asked for, as oVirt's does. All access is by the domain's workers, and a master that
is dead is looked at less and less often.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Final

from vdsm.storage import errors, layout
from vdsm.storage.files import Files
from vdsm.storage.formats import mailbox
from vdsm.storage.formats.mailbox import MAILBOX_SIZE, BadMessage, Extend
from vdsm.storage.model import MIB
from vdsm.storage.pool.mail import HostMail, Request, SpmMail

log = logging.getLogger(__name__)

INTERVAL_S: Final = 2.0
"""Between two looks: oVirt's. An inbox of many hosts is read less often, a MiB in a second."""

_LONGEST_S: Final = 60.0
_CHUNK: Final = MIB

Extender = Callable[[Extend], None]
"""Extends a volume, or raises StorageError."""

Answered = Callable[[Extend, bool], None]
"""Is told of a request, and whether it was done."""


class SpmMonitor:
    """The SPM's end, from `start` to `stop`."""

    def __init__(
        self, files: Files, max_host_id: int, extend: Extender, interval_s: float = INTERVAL_S
    ) -> None:
        self._files = files
        self._size = (max_host_id + 1) * MAILBOX_SIZE
        self._mail = SpmMail(max_host_id)
        self._extend = extend
        self._broken: set[int] = set()
        self._loop = _Loop("spm-mailbox", self._look, max(interval_s, self._size / _CHUNK))

    def start(self) -> None:
        """Clears all answers, so that what hosts still ask for is asked anew, and begins to look.
        Raises OSError, StorageError."""
        for start in range(0, self._size, _CHUNK):
            size = min(_CHUNK, self._size - start)
            self._files.write_at(layout.OUTBOX, start, bytes(size))
        self._loop.start()

    def stop(self) -> None:
        """Does not wait for a look that is under way: it may hang on a dead server."""
        self._loop.stop()

    def _look(self) -> bool:
        news = self._mail.take(self._read())
        for host_id in sorted(news.broken - self._broken):
            log.warning("Mailbox of host id %d has a wrong checksum", host_id)
        self._broken = news.broken
        changed = set(news.cleaned)
        for request in news.requests:
            if self._loop.stopped:
                return False
            if self._serve(request):
                changed.add(request.host_id)
        for host_id in sorted(changed):
            self._files.write_at(
                layout.OUTBOX, host_id * MAILBOX_SIZE, self._mail.outgoing(host_id)
            )
        return True

    def _read(self) -> bytes:
        parts = []
        for start in range(0, self._size, _CHUNK):
            size = min(_CHUNK, self._size - start)
            parts.append(self._files.read_at(layout.INBOX, start, size))
        return b"".join(parts)

    def _serve(self, request: Request) -> bool:
        """Does what a host asks for; whether there is an answer to send."""
        try:
            wanted = mailbox.decode(request.message)
        except BadMessage as error:
            log.warning("Host id %d sent what is no message: %s", request.host_id, error)
            return False
        try:
            self._extend(wanted)
            answer = wanted
        except (errors.StorageError, OSError) as error:
            log.warning("Host id %d asked for %s: %s", request.host_id, wanted, error)
            answer = Extend(wanted.domain, wanted.volume, 0)
        self._mail.answer(request.host_id, request.slot, answer.encode())
        return True


class HostMailbox:
    """A host's end. Looks at the outbox only while it waits for an answer."""

    def __init__(self, files: Files, host_id: int, interval_s: float = INTERVAL_S) -> None:
        self._files = files
        self._offset = host_id * MAILBOX_SIZE
        self._interval_s = interval_s
        self._lock = threading.Lock()
        self._mail: HostMail | None = None
        self._answered: dict[bytes, Answered] = {}
        self._loop: _Loop | None = None

    def clear(self) -> None:
        """Forgets what this host asked for in a former life. Raises OSError, StorageError."""
        self._files.write_at(layout.INBOX, self._offset, mailbox.EMPTY_MAILBOX)

    def ask(self, request: Extend, answered: Answered) -> None:
        """Asks the SPM; `answered` is called once, from another thread. The same request that
        waits already is not sent twice. Raises MailboxFull, OSError, StorageError."""
        message = request.encode()
        with self._lock:
            if self._mail is None:
                self._mail = HostMail(self._read())
            if not self._mail.add(message):
                return
            self._answered[message] = answered
            self._write(self._mail)
            if self._loop is None:
                self._loop = _Loop("host-mailbox", self._look, self._interval_s)
                self._loop.start()

    def close(self) -> None:
        """Waits for no answer any more; nobody is told."""
        with self._lock:
            if self._loop is not None:
                self._loop.stop()
            self._loop = self._mail = None
            self._answered.clear()

    def _look(self) -> bool:
        """Whether to look again."""
        current = self._read()
        with self._lock:
            if self._mail is None:
                return False
            before = self._mail.outgoing()
            done = [
                (self._answered.pop(request), request, answer)
                for request, answer in self._mail.take(current)
            ]
            if self._mail.outgoing() != before:
                self._write(self._mail)
            if idle := self._mail.is_idle:
                self._loop = None
        for answered, request, answer in done:
            _tell(answered, request, answer)
        return not idle

    def _read(self) -> bytes:
        data = self._files.read_at(layout.OUTBOX, self._offset, MAILBOX_SIZE)
        return data.ljust(MAILBOX_SIZE, b"\0")

    def _write(self, mail: HostMail) -> None:
        self._files.write_at(layout.INBOX, self._offset, mail.outgoing())


def _tell(answered: Answered, request: bytes, answer: bytes) -> None:
    wanted = mailbox.decode(request)
    try:
        said = mailbox.decode(answer)
    except BadMessage as error:
        log.warning("The SPM answered %s with what is no message: %s", wanted, error)
        answered(wanted, False)
        return
    same = (said.domain, said.volume) == (wanted.domain, wanted.volume)
    answered(wanted, same and said.size_mib >= wanted.size_mib)


class _Loop:
    """Calls `look` in a thread until it says that it is enough; after failures more seldom."""

    def __init__(self, name: str, look: Callable[[], bool], interval_s: float) -> None:
        self._name = name
        self._look = look
        self._interval_s = interval_s
        self._stop = threading.Event()

    @property
    def stopped(self) -> bool:
        return self._stop.is_set()

    def start(self) -> None:
        threading.Thread(target=self._run, name=self._name, daemon=True).start()

    def stop(self) -> None:
        self._stop.set()

    def _run(self) -> None:
        delay = self._interval_s
        while not self._stop.wait(delay):
            try:
                if not self._look():
                    return
                delay = self._interval_s
            except (OSError, errors.StorageError) as error:
                delay = min(max(delay, self._interval_s) * 2, max(_LONGEST_S, self._interval_s))
                log.warning("%s: %s; next look in %.0f s", self._name, error, delay)
