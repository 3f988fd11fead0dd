# SPDX-License-Identifier: GPL-2.0-or-later
"""Attacks as the bytes of connections, and the judgement of what came back."""

import base64
import errno
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from security.attack import About, Attack
from security.verbs import HELLO, VERBS, message
from vdsm_contract.errors import (
    COMMON,
    BadMessage,
    DeviceUnavailable,
    InvalidArgument,
    NetworkConfigError,
    UmountFailed,
    VersionMismatch,
)

ATTACKS: Final = Path(__file__).parent / "attacks"
_ERROR_MAX: Final = 6000
"""Bytes of an error: what was sent is not thrown back as a whole."""
_INSIDE: Final = ("Traceback", "/opt/venv", ".py", "site-packages", "object at 0x", "<class")
"""What would tell of the inside of the process."""

_SHORTEST: Final = 64
"""Characters of a name that an error repeats at least."""

_POLICY: Final[dict[str, tuple[str, ...]]] = {
    "service.Hello": (VersionMismatch.name,),
    # The last name of a path is not walked: that it is a link, or no mount, says the kernel.
    "storage.Umount": (UmountFailed.name,),
    "network.SetupNetworks": (NetworkConfigError.name,),
    "network.PlanNetworks": (NetworkConfigError.name,),
    "network.SetPortMirroring": (DeviceUnavailable.name,),
    "network.UnsetPortMirroring": (DeviceUnavailable.name,),
    "network.SetRpFilterLoose": (DeviceUnavailable.name,),
    "network.SetRpFilterStrict": (DeviceUnavailable.name,),
    "network.ChangeNumvfs": (NetworkConfigError.name,),
}
"""What a verb refuses its arguments with, beside InvalidArgument. Of devices it is their names."""

_NOTHING_TOLD: Final[dict[str, Callable[[dict[str, Any], object], bool]]] = {
    "host.CheckQemuConfContains": lambda fields, _: fields == {"contains": False},
    "storage.Fuser": lambda fields, _: fields == {"pids": []},
    "storage.ValidateAccess": lambda fields, _: not fields,
    "network.WatchLinks": lambda fields, value: (
        fields["lost"] == bool(value) and not fields["changes"]
    ),
    "network.ConfirmConnectivity": lambda fields, _: not fields,
    "network.UnsetPortMirroring": lambda fields, _: not fields,
    "network.GetLldpInfo": lambda fields, value: (
        fields == {"nics": {value: {"enabled": False, "tlvs": []}}}
    ),
    # A network by that name, as for every other one.
    "network.PlanNetworks": lambda fields, value: any(
        str(value) in each for each in fields["operations"]
    ),
}
"""What each verb answers that takes such a text or number; others take none."""


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
        """What is wrong with how it was refused; empty if nothing is.

        It is not enough that a call failed: the error must be the policy's, and blame what was
        hostile. That there is no such thing, or that the kernel did not want it, is no refusal.
        """
        attack = self.attack
        if self.answer is None:
            return "was not answered"
        if attack.malformed:
            return "" if self.error == BadMessage.name else "is no text, and was taken"
        if not self.error:
            return self._passed()
        if self.error == InvalidArgument.name:
            return self._names(str(self.fields["field"]))
        if self.error not in _POLICY.get(attack.verb, ()):
            return "failed, and was not refused"
        if self.error == NetworkConfigError.name:
            return self._names(str(self.fields["field"]))
        if self.error == UmountFailed.name:
            last = attack.about is About.PATH and self.fields["errno"] == errno.EINVAL
            return "" if last and self._blames("target") else "failed, and was not refused"
        blamed = {DeviceUnavailable.name: "device", VersionMismatch.name: "client"}[self.error]
        return "" if self._blames(blamed) else "is refused for something else"

    def _passed(self) -> str:
        if not self.attack.may_pass:
            return "was not refused"
        tells_nothing = _NOTHING_TOLD[self.attack.verb]
        return "" if tells_nothing(self.fields, self.attack.value) else "tells something"

    def _names(self, named: str) -> str:
        """Whether the field is the one that was replaced, or in it."""
        field = self.attack.field
        if named == field or named.startswith((f"{field}.", f"{field}[")):
            return ""
        return f"does not name {field}"

    def _blames(self, field: str) -> bool:
        """Whether the error repeats the hostile text, of which it may cut off the end."""
        value, blamed = self.attack.value, str(self.fields[field])
        return isinstance(value, str) and value[: max(_SHORTEST, len(blamed))] == blamed

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
