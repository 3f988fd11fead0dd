# SPDX-License-Identifier: GPL-2.0-or-later
"""The whole privileged surface: a table from method names to functions, built at start.

`supervdsm --verbs` prints it. Nothing is imported or looked up by a name that came over the wire,
other than as a key of this table.
"""

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import ClassVar, Final, cast

import msgspec

from vdsm_contract.declare import Interface, LockMode, Verb
from vdsm_contract.errors import COMMON, VerbError
from vdsm_contract.interfaces import Service

HELLO: Final = Service.VERBS["hello"].method
MAX_FLOW: Final = 256
"""Characters of a flow id."""


@dataclass(frozen=True)
class Entry:
    """One row: a verb, the function that serves it, and what dispatch needs at hand."""

    verb: Verb
    method: str
    limit: float
    locked: bool
    touches_nothing: bool
    level: int
    """That the audit tells of a call at which ended well."""
    function: Callable[..., object]
    decoder: "msgspec.json.Decoder[msgspec.Struct]"
    arguments: tuple[str, ...]
    errors: tuple[type[VerbError], ...]


class Incoming(msgspec.Struct, kw_only=True):
    """A call of a verb of the table, read in one go: its name is the tag, so each verb has a type
    of its own."""

    entry: ClassVar[Entry]
    parameters: msgspec.Struct
    oneway: bool = False


class Table(dict[str, Entry]):
    """The verbs by their qualified method; made once, then only read."""

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        super().__init__({entry.method: entry for entry in entries})
        # A Hello may end its connection, be it the first or a later one: its session looks at it.
        calls = [_incoming(entry) for entry in self.values() if entry.method != HELLO]
        self._decoder: msgspec.json.Decoder[Incoming] | None = None
        if calls:
            self._decoder = msgspec.json.Decoder(reduce(or_, calls))

    def read(self, data: bytes) -> Incoming | None:
        """Return the call that a message is; None when it is a Hello or anything but a right call
        of one of these verbs. What is wrong with it is for somebody to find out who has more time.
        """
        if self._decoder is None:
            return None
        try:
            call = self._decoder.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        flow_id = call.parameters.flow_id  # type: ignore[attr-defined]
        return None if flow_id and len(flow_id) > MAX_FLOW else call


def _incoming(entry: Entry) -> type[Incoming]:
    kind = msgspec.defstruct(
        entry.verb.name,
        [("parameters", entry.verb.parameters)],
        bases=(Incoming,),
        namespace={"entry": entry},
        tag_field="method",
        tag=entry.method,
        kw_only=True,
    )
    return cast("type[Incoming]", kind)


def build(rooms: Iterable[Interface]) -> Table:
    """Return the table of all verbs of `rooms`, by their qualified method.

    Raises TypeError when a room leaves a declared verb without an implementation.
    """
    entries: list[Entry] = []
    for room in rooms:
        for name, verb in room.VERBS.items():
            implementation = getattr(type(room), name)
            if hasattr(implementation, "__promise__"):
                raise TypeError(f"{type(room).__name__} does not implement {verb.method}")
            promise = verb.promise
            entries.append(
                Entry(
                    verb=verb,
                    method=verb.method,
                    limit=promise.limit,
                    locked=promise.lock.mode is not LockMode.NONE,
                    touches_nothing=promise.touches == "nothing",
                    level=logging.DEBUG if promise.poll else logging.INFO,
                    function=getattr(room, name),
                    decoder=msgspec.json.Decoder(verb.parameters),
                    # The last one is the flow id.
                    arguments=verb.parameters.__struct_fields__[:-1],
                    errors=promise.errors + COMMON,
                )
            )
    return Table(entries)


def as_text(table: Mapping[str, Entry]) -> str:
    """Return the table for a person: verb, limit, lock, errors, and what it touches."""
    rows = [("VERB", "LIMIT", "LOCK", "ERRORS", "TOUCHES")]
    for method, entry in table.items():
        promise = entry.verb.promise
        errors = ", ".join(error.__name__ for error in promise.errors)
        rows.append(
            (
                method.removeprefix("org.ovirt.supervdsm."),
                f"{promise.limit:g} s",
                str(promise.lock),
                errors or "-",
                promise.touches,
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row[:4], widths, strict=True))
        + "  "
        + row[4]
        for row in rows
    )
