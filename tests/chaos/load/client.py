# SPDX-License-Identifier: GPL-2.0-or-later
"""What every client is: a thread with a connection, a random generator and a book to write in."""

import itertools
import random
import ssl
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from chaos.connection import Connection, Lost, enter_network
from chaos.model import Ledger, Outcome

ANSWER_S: Final = 75.0
"""After so long a call has no end. The verbs that are called here have limits below it."""
CONNECT_S: Final = 20.0

DEFECTS: Final = frozenset({"Unexpected", "ProtocolError", "incident", "SupervdsmTimeout"})
"""Errors that say that the program is wrong, whatever was done to it. A supervdsm that answers
nobody is replaced long before a verb's limit."""
_UNKNOWN: Final = DEFECTS | {"SupervdsmDied", "TimedOut"}
NO_DEFECT: Final = "no call ends with a defect of the program"


class Refused(Exception):
    """The answer was an error, and the call had no effect."""

    def __init__(self, verb: str, code: int, message: str) -> None:
        super().__init__(f"{verb}: {message} ({code})")
        self.code = code


class Unknown(Exception):
    """Nobody knows whether the call had its effect."""


class Gate:
    """Lets clients work or not."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._open = False
        self._busy: set[str] = set()
        self.over = False

    @contextmanager
    def working(self, name: str) -> Iterator[None]:
        """Wait until it is open; who is within keeps it from being closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._open or self.over)
            self._busy.add(name)
        try:
            yield
        finally:
            with self._changed:
                self._busy.discard(name)
                self._changed.notify_all()

    def open(self) -> None:
        """Let everybody in."""
        with self._changed:
            self._open = True
            self._changed.notify_all()

    def close(self) -> None:
        """Let nobody in."""
        with self._changed:
            self._open = False

    def rest(self, names: AbstractSet[str], patience_s: float) -> AbstractSet[str]:
        """Wait for some of those within a closed gate; give those who do not come out."""
        with self._changed:
            self._changed.wait_for(lambda: not self._busy & names, patience_s)
            return self._busy & names

    def end(self) -> None:
        """All are to go home."""
        with self._changed:
            self.over = True
            self._changed.notify_all()


@dataclass
class Book:
    """The ledger, for many threads."""

    ledger: Ledger = field(default_factory=Ledger)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def answered(self, answer: Mapping[str, Any], judge: "Judge | None" = None) -> None:
        outcome, saw, message = classified(answer)
        if outcome is Outcome.DONE and judge is not None:
            outcome, saw = judge(answer["result"])
        with self.lock:
            self.ledger.answer(str(answer.get("id")), time.monotonic(), outcome, saw)
            if saw in DEFECTS:
                self.ledger.violate(NO_DEFECT, f"{answer.get('id')}: {message}")


Judge = Callable[[Any], tuple[Outcome, str]]
"""Tells by a result whether the call did what was asked for."""


def classified(answer: Mapping[str, Any]) -> tuple[Outcome, str, str]:
    """The outcome of an answer, what it is called, and its message."""
    error = answer.get("error")
    if error is None:
        return Outcome.DONE, "ok", ""
    message = str(error.get("message"))
    data = error.get("data")
    name = str(data.get("error")) if isinstance(data, dict) else f"code {error.get('code')}"
    if "see incident" in message:
        name = "incident"
    half = name == "NetworkChangeFailed" and "NOT as it was" in message
    return Outcome.UNKNOWN if name in _UNKNOWN or half else Outcome.REFUSED, name, message


@dataclass(frozen=True)
class Place:
    """Where vdsm is, and from where it is called."""

    address: str
    tls: ssl.SSLContext
    network: Path
    """The network namespace that clients are in."""


class Client(ABC, threading.Thread):
    """Does one `step` after the other."""

    def __init__(self, name: str, seed: int, place: Place, book: Book, gate: Gate) -> None:
        super().__init__(name=name, daemon=True)
        self.choices: Final = random.Random(f"{seed}/{name}")
        self.book = book
        self.gate = gate
        self.crash: BaseException | None = None
        self._place = place
        self._numbers = itertools.count(1)
        self._connection: Connection | None = None

    @abstractmethod
    def step(self) -> None:
        """A few calls. Refused and Unknown may come out of it."""

    def run(self) -> None:
        try:
            enter_network(self._place.network)
            while not self.gate.over:
                with self.gate.working(self.name):
                    self._try()
            self._hang_up()
        except BaseException as error:
            self.crash = error
            raise

    def _try(self) -> None:
        if self.gate.over:
            return
        try:
            self._connected()
        except Lost:
            time.sleep(0.05)  # vdsm is not there: nobody tells when it is
            return
        try:
            self.step()
        except (Refused, Unknown):
            return

    def cut(self) -> None:
        """End its connection; by another thread."""
        connection = self._connection
        if connection is not None:
            connection.cut()

    # --- calls ------------------------------------------------------------------------------------

    def call(
        self,
        verb: str,
        params: Mapping[str, Any] | None = None,
        *,
        writes: Mapping[str, str] | None = None,
        judge: Judge | None = None,
    ) -> Any:
        """Make a call and wait for its answer. Raises Refused and Unknown."""
        (answer,) = self.calls([(verb, params or {})], writes=writes, judge=judge)
        outcome, _saw, message = classified(answer)
        if outcome is Outcome.DONE:
            return answer["result"]
        if outcome is Outcome.UNKNOWN:
            raise Unknown(f"{verb}: {message}")
        raise Refused(verb, int(answer["error"]["code"]), message)

    def calls(
        self,
        requests: Sequence[tuple[str, Mapping[str, Any]]],
        *,
        writes: Mapping[str, str] | None = None,
        judge: Judge | None = None,
    ) -> list[dict[str, Any]]:
        """Make calls all at once; their answers in the order of the requests. Raises Unknown when
        one of them has none."""
        try:
            connection = self._connected()
        except Lost as lost:
            raise Unknown(f"not sent: {lost}") from None
        identities = [f"{self.name}-{next(self._numbers)}" for _ in requests]
        deadline = time.monotonic() + ANSWER_S
        answers: dict[str, dict[str, Any]] = {}
        try:
            for identity, (verb, params) in zip(identities, requests, strict=True):
                with self.book.lock:
                    self.book.ledger.begin(identity, verb, time.monotonic(), writes)
                connection.send(identity, verb, params)
            for answer in connection.answers(deadline):
                self.book.answered(answer, judge)
                answers[str(answer.get("id"))] = answer
                if answers.keys() >= set(identities):
                    return [answers[identity] for identity in identities]
            raise Lost("no answer")
        except Lost as lost:
            with self.book.lock:
                self.book.ledger.check_ends(time.monotonic(), ANSWER_S - 1)
                for identity in identities:
                    if identity in self.book.ledger.calls:
                        self.book.ledger.lose(identity, time.monotonic())
            self._hang_up()
            raise Unknown(str(lost)) from None

    def listen(self) -> None:
        """Take what comes without being asked for; while the client does not work."""
        if self._connection is None:
            return
        try:
            for answer in self._connection.answers(time.monotonic() + 0.002):
                self.book.answered(answer)
        except Lost:
            self._hang_up()

    def _connected(self) -> Connection:
        if self._connection is None:
            self._connection = Connection(self._place.address, self._place.tls, CONNECT_S)
        return self._connection

    def _hang_up(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
