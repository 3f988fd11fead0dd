# SPDX-License-Identifier: GPL-2.0-or-later
"""How a verb is declared: once, as a typed method with what it promises.

    class Storage(Interface, name="org.ovirt.supervdsm.storage"):
        @verb(limit=seconds(60), lock=per_path("fs_file"), errors=(UmountFailed,), touches="...")
        def umount(self, fs_file: str, force: bool = False, lazy: bool = False) -> None: ...

The room on the root side is a subclass that implements the methods, the proxy is a subclass made
at run time, so that mypy checks both ends against the same lines. The interface text that varlink
clients read is generated from them too (`idl`).
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, ClassVar, TypeVar, get_type_hints

import msgspec

from vdsm_contract.errors import VerbError

_F = TypeVar("_F", bound=Callable[..., object])


class LockMode(Enum):
    """What a call does when another one holds its lock."""

    NONE = "none"
    REFUSE = "refuse"
    """It is refused with Busy at once."""
    WAIT = "wait"
    """It waits for its turn, within its limit."""


@dataclass(frozen=True)
class Lock:
    """The lock of a verb: `name` for the whole host or, with `parameter`, one for each path."""

    mode: LockMode
    name: str = ""
    parameter: str = ""

    def __str__(self) -> str:
        if self.mode is LockMode.NONE:
            return "none"
        return f"{self.name}[{self.parameter}]" if self.parameter else self.name


NO_LOCK = Lock(LockMode.NONE)


def exclusive(name: str) -> Lock:
    """One call at a time on the whole host; a second one is refused with Busy."""
    return Lock(LockMode.REFUSE, name)


def per_path(parameter: str) -> Lock:
    """One call at a time for each value of the path in `parameter`; others wait for their turn."""
    return Lock(LockMode.WAIT, "path", parameter)


def seconds(value: float) -> float:
    """Say that a limit is in seconds where it is declared."""
    return value


@dataclass(frozen=True)
class Promise:
    """What `@verb` says about a method."""

    limit: float
    lock: Lock
    errors: tuple[type[VerbError], ...]
    secret: frozenset[str]
    touches: str
    poll: bool


@dataclass(frozen=True)
class Verb:
    """One verb of the contract, with everything that either end needs to know of it."""

    interface: str
    attribute: str
    """The method's name in Python."""
    name: str
    """The method's name in varlink, such as `NetworkCaps`."""
    doc: str
    promise: Promise
    parameters: type[msgspec.Struct]
    """Its fields are the arguments, plus `flow_id`; renamed to camelCase on the wire."""
    result: type[msgspec.Struct] | None

    @property
    def method(self) -> str:
        """The qualified method of the wire."""
        return f"{self.interface}.{self.name}"


class Empty(msgspec.Struct, frozen=True):
    """The result of a verb that returns nothing."""


def verb(
    *,
    limit: float,
    lock: Lock = NO_LOCK,
    errors: tuple[type[VerbError], ...] = (),
    secret: tuple[str, ...] = (),
    touches: str,
    poll: bool = False,
) -> Callable[[_F], _F]:
    """Declare a method of an `Interface` as a verb.

    `limit` is in seconds and enforced by the root side; `secret` names the arguments that no log
    may show; `touches` says for the audit what of the host the verb reads or changes; `poll` that
    it is called all the time, so that the audit tells of a call that ended well at DEBUG only.
    """

    def mark(function: _F) -> _F:
        promise = Promise(limit, lock, errors, frozenset(secret), touches, poll)
        function.__promise__ = promise  # type: ignore[attr-defined]
        return function

    return mark


class Interface:
    """Base of the declared interfaces. `VERBS` maps the Python names to the verbs."""

    INTERFACE: ClassVar[str]
    VERBS: ClassVar[Mapping[str, Verb]]

    def __init_subclass__(cls, *, name: str = "") -> None:
        super().__init_subclass__()
        if name:
            cls.INTERFACE = name
            cls.VERBS = {
                attribute: _make(name, attribute, function)
                for attribute, function in vars(cls).items()
                if hasattr(function, "__promise__")
            }


def camel(name: str) -> str:
    """Return `fs_file` as `fsFile`."""
    head, *rest = name.split("_")
    return head + "".join(word.capitalize() for word in rest)


def _make(interface: str, attribute: str, function: Any) -> Verb:
    promise: Promise = function.__promise__
    hints = get_type_hints(function, include_extras=True)
    result = hints.pop("return")
    name = "".join(word.capitalize() for word in attribute.split("_"))
    fields: list[tuple[str, Any] | tuple[str, Any, Any]] = []
    for parameter in list(inspect.signature(function).parameters.values())[1:]:
        kind = hints[parameter.name]
        if parameter.default is inspect.Parameter.empty:
            fields.append((parameter.name, kind))
        else:
            fields.append((parameter.name, kind, parameter.default))
    unknown = promise.secret - {field[0] for field in fields}
    if unknown:
        raise TypeError(f"{interface}.{name}: secret names no argument: {sorted(unknown)}")
    return Verb(
        interface=interface,
        attribute=attribute,
        name=name,
        doc=inspect.getdoc(function) or "",
        promise=promise,
        parameters=msgspec.defstruct(
            f"{name}Parameters",
            [*fields, ("flow_id", str | None, None)],
            rename=camel,
            forbid_unknown_fields=True,
            omit_defaults=True,
        ),
        result=None if result is type(None) else result,
    )
