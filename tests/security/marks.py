# SPDX-License-Identifier: GPL-2.0-or-later
"""Calls of vdsm's API with a mark in the place of each secret that the API can carry.

Which members those are is read from the API's own description. A mark is a word that occurs nowhere
else, with a number that tells where it was put.
"""

import base64
import itertools
import re
from collections.abc import Iterator
from typing import Any, Final

from vdsm.jsonrpc import typespec
from vdsm.jsonrpc.errors import JSON
from vdsm.jsonrpc.schema import Schema, load
from vdsm.jsonrpc.typespec import Type

WORD: Final = "SesameOpenThyself"
_SECRET: Final = re.compile(
    r"pass|secret|token|cred|ticket$|connection_info|_x_|private|authkey", re.IGNORECASE
)
_TEXTS: Final = re.compile(r"(mnt_)?options")
"""Members whose text may carry a secret as one of its options."""
_WITHOUT: Final = frozenset({"Host.setupNetworks"})
"""Whose options are those of bonds."""
_DEPTH: Final = 6
UUID: Final = "5e5a0000-0000-4000-8000-{:012d}"


class Marks:
    """Gives out marks, and remembers where each one went."""

    def __init__(self) -> None:
        self._numbers = itertools.count()
        self.places: dict[str, str] = {}

    def new(self, place: str) -> str:
        mark = f"{WORD}{next(self._numbers):04d}"
        self.places[mark] = place
        return mark

    def values(self, place: str) -> list[JSON]:
        """Return secrets as they come: plain, in base64, with what JSON and options escape, and of
        a type that is refused."""
        plain, escaped = self.new(place), self.new(place)
        coded = base64.b64encode(self.new(place).encode()).decode()
        nested: JSON = {"value": [self.new(place)]}
        return [plain, coded, f'\u00e9 "\\,= \n\t/{escaped}', nested]

    def options(self, place: str) -> list[JSON]:
        """Return texts of options, one of which is a password, with what a password may have."""
        first, second = self.new(place), self.new(place)
        return [f"user=me,password={first},vers=3", f"login=me\npasswd=two words {second}\nport=1"]


def in_base64() -> list[str]:
    """Return what base64 makes of the word, wherever in a text it stands."""
    parts = []
    for shift in range(3):
        text = base64.b64encode(b"\0" * shift + WORD.encode()).decode()
        begin = -(-shift * 4 // 3) if shift else 0
        parts.append(text[begin + (1 if shift else 0) : len(WORD) * 4 // 3 - 3])
    return parts


def calls(marks: Marks) -> Iterator[tuple[str, dict[str, JSON]]]:
    """Yield a call for each secret of each verb and each of its values."""
    schema = load()
    for name, verb in schema.verbs.items():
        if name in _WITHOUT:
            continue
        base = {each.name: _sample(schema, each.type, 0) for each in verb.parameters}
        for path, text in _secrets(schema, verb.parameters, ()):
            place = f"{name} {'.'.join(path)}"
            for value in marks.options(place) if text else marks.values(place):
                yield name, _with(base, path, value)
    # Those that go on to supervdsm.
    for kind, connection in ((6, "//server/share"), (4, "/srv/nowhere"), (3, "server")):
        place = f"StoragePool.connectStorageServer of type {kind}"
        for text in marks.options(place):
            reference: dict[str, JSON] = {
                "id": UUID.format(kind),
                "connection": connection,
                "vfs_type": "cifs",
                "mnt_options": text,
                "user": "me",
                "password": marks.new(place),
                "cred": {"password": marks.new(place)},
            }
            yield (
                "StoragePool.connectStorageServer",
                {
                    "storagepoolID": UUID.format(0),
                    "domainType": kind,
                    "connectionParams": [reference],
                },
            )


def _secrets(
    schema: Schema, members: Any, path: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], bool]]:
    """Yield the paths to all secrets below `members`, and whether each is a text of options."""
    if len(path) > _DEPTH:
        return
    for member in members:
        here = (*path, member.name)
        if _SECRET.search(member.name):
            yield here, False
        elif _TEXTS.fullmatch(member.name):
            yield here, True
        else:
            yield from _inside(schema, member.type, here)


def _inside(
    schema: Schema, spec: Type, path: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], bool]]:
    match spec:
        case typespec.Named(name):
            yield from _inside(schema, schema.types[name], path)
        case typespec.ListOf(item) | typespec.Raw(item):
            step = ("[]",) if isinstance(spec, typespec.ListOf) else ()
            yield from _inside(schema, item, (*path, *step))
        case typespec.MapOf(_, value):
            yield from _inside(schema, value, (*path, "a"))
        case typespec.Object(members):
            yield from _secrets(schema, members, path)


def _with(base: dict[str, JSON], path: tuple[str, ...], value: JSON) -> dict[str, JSON]:
    """Return `base` with `value` at `path`; what is missing on the way is made."""

    def put(node: Any, rest: tuple[str, ...]) -> Any:
        if not rest:
            return value
        head, *tail = rest
        if head == "[]":
            old = node[0] if isinstance(node, list) and node else {}
            return [put(old, tuple(tail))]
        node = dict(node) if isinstance(node, dict) else {}
        node[head] = put(node.get(head, {}), tuple(tail))
        return node

    whole: dict[str, JSON] = put(base, path)
    return whole


def _sample(schema: Schema, spec: Type, depth: int) -> JSON:
    """Return a value of a type; objects only have what they must."""
    match spec:
        case typespec.Scalar("string"):
            return "x"
        case typespec.Scalar("boolean"):
            return False
        case typespec.Scalar("dict" | "object"):
            return {}
        case typespec.Scalar():
            return 1
        case typespec.Named("UUID"):
            return UUID.format(depth)
        case typespec.Named(name):
            return _sample(schema, schema.types[name], depth + 1)
        case typespec.ListOf(item):
            return [_sample(schema, item, depth + 1)] if depth < _DEPTH else []
        case typespec.MapOf():
            return {}
        case typespec.Enum(words):
            return words[0]
        case typespec.Union(alternatives):
            return _sample(schema, alternatives[0], depth + 1)
        case typespec.Object(members):
            return {
                each.name: _sample(schema, each.type, depth + 1)
                for each in members
                if not each.optional
            }
        case typespec.Raw(meant):
            return _sample(schema, meant, depth + 1)
    raise TypeError(str(spec))
