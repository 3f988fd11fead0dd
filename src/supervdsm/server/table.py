# SPDX-License-Identifier: GPL-2.0-or-later
"""The whole privileged surface: a table from method names to functions, built at start.

`supervdsm --verbs` prints it. Nothing is imported or looked up by a name that came over the wire,
other than as a key of this table.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import msgspec

from vdsm_contract.declare import Empty, Interface, Verb
from vdsm_contract.errors import COMMON, VerbError


@dataclass(frozen=True)
class Entry:
    """One row: a verb, the function that serves it, and what dispatch needs at hand."""

    verb: Verb
    function: Callable[..., object]
    decoder: "msgspec.json.Decoder[msgspec.Struct]"
    arguments: tuple[str, ...]
    errors: tuple[type[VerbError], ...]


def build(rooms: Iterable[Interface]) -> Mapping[str, Entry]:
    """Return the table of all verbs of `rooms`, by their qualified method.

    Raises TypeError when a room leaves a declared verb without an implementation.
    """
    table: dict[str, Entry] = {}
    for room in rooms:
        for name, verb in room.VERBS.items():
            implementation = getattr(type(room), name)
            if hasattr(implementation, "__promise__"):
                raise TypeError(f"{type(room).__name__} does not implement {verb.method}")
            table[verb.method] = Entry(
                verb=verb,
                function=getattr(room, name),
                decoder=msgspec.json.Decoder(verb.parameters),
                arguments=tuple(
                    field for field in verb.parameters.__struct_fields__ if field != "flow_id"
                ),
                errors=verb.promise.errors + COMMON,
            )
    return table


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


NOTHING = Empty()
"""The answer of a verb that returns nothing."""
