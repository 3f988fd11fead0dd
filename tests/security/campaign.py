# SPDX-License-Identifier: GPL-2.0-or-later
"""Attacks as the bytes of connections, and the judgement of what came back."""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from security.hostile import Attack
from security.verbs import HELLO, VERBS, message
from vdsm_contract.errors import COMMON, BadMessage, InvalidArgument

ATTACKS: Final = Path(__file__).parent / "attacks"
_ERROR_MAX: Final = 6000
"""Bytes of an error: what was sent is not thrown back as a whole."""
_INSIDE: Final = ("Traceback", "/opt/venv", ".py", "site-packages", "object at 0x", "<class")
"""What would tell of the inside of the process."""


@dataclass(frozen=True)
class Outcome:
    """An attack and its answer: the varlink error, empty for none, and the fields. None: there was
    no answer."""

    attack: Attack
    answer: str | None

    @property
    def error(self) -> str:
        return "" if self.answer is None else str(json.loads(self.answer).get("error", ""))

    @property
    def fields(self) -> dict[str, Any]:
        return {} if self.answer is None else dict(json.loads(self.answer)["parameters"])

    @property
    def refused(self) -> str:
        """What is wrong with how it was refused; empty if nothing is."""
        if self.answer is None:
            return "was not answered"
        if self.attack.malformed:
            return "" if self.error == BadMessage.name else "is no text, and was taken"
        if not self.error:
            return "" if self.attack.may_pass else "was not refused"
        if self.error == InvalidArgument.name and self.attack.field:
            named = str(self.fields["field"])
            if not named.startswith(self.attack.field):
                return f"does not name {self.attack.field}"
        return ""

    @property
    def told(self) -> str:
        """What is wrong with what the answer tells; empty if nothing is."""
        if self.answer is None or not self.error:
            return ""
        declared = {error.name for error in (*VERBS[self.attack.verb].promise.errors, *COMMON)}
        if self.error not in declared | ({BadMessage.name} if self.attack.malformed else set()):
            return "is no error that was declared"
        if len(self.answer) > _ERROR_MAX:
            return "throws back what was sent"
        sent = json.dumps(self.attack.parameters)
        if any(word in self.answer and word not in sent for word in _INSIDE):
            return "tells of the inside"
        return ""

    def __str__(self) -> str:
        sent = json.dumps(self.attack.parameters)
        return f"{self.attack.verb} {sent[:300]} -> {(self.answer or 'nothing')[:300]}"


def connections(attacks: Sequence[Attack]) -> list[list[Attack]]:
    """Split attacks into connections: one ends after a message that is none, and after a Hello."""
    split: list[list[Attack]] = [[]]
    for attack in attacks:
        split[-1].append(attack)
        if attack.malformed or attack.verb == "service.Hello":
            split.append([])
    return [each for each in split if each]


def encoded(connection: Sequence[Attack]) -> list[str]:
    """Return a connection's messages for `attacks/talk.py`, with the Hello before them."""
    first = [] if connection[0].verb == "service.Hello" else [HELLO]
    return base64s(*first, *(message(each.verb, each.parameters) for each in connection))


def outcomes(connection: Sequence[Attack], answers: Sequence[str]) -> list[Outcome]:
    """Return how each attack of a connection ended, from the answers to what `encoded` made."""
    if connection[0].verb != "service.Hello":
        answers = answers[1:]
    missing = [None] * (len(connection) - len(answers))
    return [
        Outcome(attack, answer)
        for attack, answer in zip(connection, [*answers, *missing], strict=True)
    ]


def base64s(*messages: bytes) -> list[str]:
    """Return messages as JSON can carry them."""
    return [base64.b64encode(each).decode() for each in messages]
