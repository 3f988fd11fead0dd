# SPDX-License-Identifier: GPL-2.0-or-later
"""The small language in which the API's types are written, and the check of a value against one.

    string boolean int uint long ulong float      scalars
    dict object                                   any JSON object; any JSON value
    [T]                                           an array of T
    map<K, V>                                     an object whose values are V
    enum a | b | c                                one of these words
    union A | B                                   the first of these that fits
    { name: T, other?: T }                        an object with these members, and maybe more
    raw<T>                                        meant to be a T; passed on as it is, unchecked
    Name                                          a type of types.toml

Real engines are older or newer than any schema, so the check is lenient: a number may come as a
decimal string and a boolean as "true" or "false" (both are converted), a member that the type
does not name is kept as it is, and an optional member may be null, which is the same as absent.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from vdsm.jsonrpc.errors import JSON


class SpecError(Exception):
    """A type that is written wrong. Found when the schema is loaded, so it never meets a call."""


class Mismatch(Exception):
    """A value that does not fit its type. `path` is the value's place below the parameters."""

    def __init__(self, path: str, problem: str) -> None:
        self.path = path
        self.problem = problem
        super().__init__(path, problem)

    def __str__(self) -> str:
        # The path may hold keys that the caller chose, as long as it liked.
        return f"{self.path[:200]}: {self.problem}"


@dataclass(frozen=True, slots=True)
class Scalar:
    name: str


@dataclass(frozen=True, slots=True)
class Named:
    name: str


@dataclass(frozen=True, slots=True)
class ListOf:
    item: Type


@dataclass(frozen=True, slots=True)
class MapOf:
    key: Type
    value: Type


@dataclass(frozen=True, slots=True)
class Enum:
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Union:
    alternatives: tuple[Type, ...]


@dataclass(frozen=True, slots=True)
class Member:
    name: str
    type: Type
    optional: bool


@dataclass(frozen=True, slots=True)
class Object:
    members: tuple[Member, ...]


@dataclass(frozen=True, slots=True)
class Raw:
    type: Type


Type: TypeAlias = Scalar | Named | ListOf | MapOf | Enum | Union | Object | Raw
Types: TypeAlias = Mapping[str, Type]

SCALARS = frozenset(
    {"string", "boolean", "int", "uint", "long", "ulong", "float", "dict", "object"}
)
_TOKEN = re.compile(r"\s*([A-Za-z_][A-Za-z0-9_-]*|[\[\]{}<>,:?|])")


def parse_type(text: str) -> Type:
    """Reads a type. Raises SpecError."""
    text = text.strip()
    if text.startswith("enum "):
        # The words of an enum may hold blanks and dots, so they are split, not tokenized.
        words = tuple(word.strip() for word in text[5:].split("|"))
        if not all(words):
            raise SpecError(f"an empty word in {text!r}")
        return Enum(words)
    reader = _Reader(text)
    result = reader.type()
    if reader.peek():
        raise SpecError(f"{reader.peek()!r} is left over in {text!r}")
    return result


class _Reader:
    """A recursive descent over the tokens of one type."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens: list[str] = []
        position = 0
        while position < len(text.rstrip()):
            match = _TOKEN.match(text, position)
            if not match:
                raise SpecError(f"{text[position:]!r} is not understood in {text!r}")
            self._tokens.append(match[1])
            position = match.end()
        self._next = 0

    def peek(self) -> str:
        return self._tokens[self._next] if self._next < len(self._tokens) else ""

    def take(self, expected: str = "") -> str:
        token = self.peek()
        if not token or (expected and token != expected):
            raise SpecError(f"expected {expected or 'a type'}, got {token!r} in {self._text!r}")
        self._next += 1
        return token

    def type(self) -> Type:
        match self.take():
            case "[":
                item = self.type()
                self.take("]")
                return ListOf(item)
            case "{":
                return self._object()
            case "map" if self.peek() == "<":
                self.take("<")
                key = self.type()
                self.take(",")
                value = self.type()
                self.take(">")
                return MapOf(key, value)
            case "raw" if self.peek() == "<":
                self.take("<")
                meant = self.type()
                self.take(">")
                return Raw(meant)
            case "union":
                alternatives = [self.type()]
                while self.peek() == "|":
                    self.take("|")
                    alternatives.append(self.type())
                return Union(tuple(alternatives))
            case name if name in SCALARS:
                return Scalar(name)
            case name if name[0].isalpha() or name[0] == "_":
                return Named(name)
            case token:
                raise SpecError(f"{token!r} does not begin a type in {self._text!r}")

    def _object(self) -> Object:
        members: list[Member] = []
        while self.peek() != "}":
            name = self.take()
            optional = self.peek() == "?"
            if optional:
                self.take("?")
            self.take(":")
            members.append(Member(name, self.type(), optional))
            if self.peek() != "}":
                self.take(",")
        self.take("}")
        return Object(tuple(members))


def write_type(spec: Type) -> str:
    """The text of a type, as `parse_type` reads it."""
    match spec:
        case Scalar(name) | Named(name):
            return name
        case ListOf(item):
            return f"[{write_type(item)}]"
        case Raw(meant):
            return f"raw<{write_type(meant)}>"
        case MapOf(key, value):
            return f"map<{write_type(key)}, {write_type(value)}>"
        case Enum(words):
            return "enum " + " | ".join(words)
        case Union(alternatives):
            return "union " + " | ".join(map(write_type, alternatives))
        case Object(members):
            inner = ", ".join(
                f"{m.name}{'?' if m.optional else ''}: {write_type(m.type)}" for m in members
            )
            return f"{{ {inner} }}"


def names_in(spec: Type) -> frozenset[str]:
    """The types of types.toml that a type mentions."""
    match spec:
        case Named(name):
            return frozenset({name})
        case ListOf(item) | Raw(item):
            return names_in(item)
        case MapOf(key, value):
            return names_in(key) | names_in(value)
        case Union(alternatives):
            return frozenset().union(*map(names_in, alternatives))
        case Object(members):
            return frozenset().union(*(names_in(m.type) for m in members))
    return frozenset()


# --- checking ------------------------------------------------------------------------------


def check(value: JSON, spec: Type, path: str, types: Types) -> JSON:
    """The value, with numbers and booleans in their own form. Raises Mismatch."""
    match spec:
        case Scalar(name):
            return _SCALAR_CHECKS[name](value, path)
        case Named(name):
            return check(value, types[name], path, types)
        case ListOf(item):
            if not isinstance(value, list):
                raise Mismatch(path, f"expected an array, got {kind(value)}")
            return [check(v, item, f"{path}[{i}]", types) for i, v in enumerate(value)]
        case MapOf(_, item):
            if not isinstance(value, dict):
                raise Mismatch(path, f"expected an object, got {kind(value)}")
            return {k: check(v, item, f"{path}.{k}", types) for k, v in value.items()}
        case Raw():
            return value
        case Enum(words):
            return _check_enum(value, words, path)
        case Union(alternatives):
            return _check_union(value, alternatives, path, types)
        case Object(members):
            if not isinstance(value, dict):
                raise Mismatch(path, f"expected an object, got {kind(value)}")
            return check_members(value, members, path, types)


def check_members(
    value: Mapping[str, JSON], members: tuple[Member, ...], path: str, types: Types
) -> dict[str, JSON]:
    """An object's members; the ones that the type does not name stay as they are."""
    result = dict(value)
    for member in members:
        place = f"{path}.{member.name}" if path else member.name
        given = result.get(member.name)
        if member.optional and given is None:
            result.pop(member.name, None)
        elif member.name not in result:
            raise Mismatch(place, "is missing")
        else:
            result[member.name] = check(given, member.type, place, types)
    return result


def kind(value: JSON) -> str:
    """What a JSON value is, in JSON's own words."""
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
        case dict():
            return "object"


def _check_enum(value: JSON, words: tuple[str, ...], path: str) -> JSON:
    text = str(value) if isinstance(value, (str, int)) and not isinstance(value, bool) else None
    if text not in words:
        shown = ", ".join(words) if len(words) <= 12 else f"one of {len(words)} known words"
        raise Mismatch(path, f"expected one of: {shown}")
    return value


def _check_union(value: JSON, alternatives: tuple[Type, ...], path: str, types: Types) -> JSON:
    deepest = Mismatch("", "fits none of its types")
    for alternative in alternatives:
        try:
            return check(value, alternative, path, types)
        except Mismatch as mismatch:
            # The complaint of the alternative that went furthest is the most useful one.
            if len(mismatch.path) > len(deepest.path):
                deepest = mismatch
    raise deepest


_INTEGER = re.compile(r"[+-]?[0-9]{1,20}")


def _string(value: JSON, path: str) -> JSON:
    if not isinstance(value, str):
        raise Mismatch(path, f"expected string, got {kind(value)}")
    return value


def _boolean(value: JSON, path: str) -> JSON:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    raise Mismatch(path, f"expected boolean, got {kind(value)}")


def _integer(name: str, low: int | None) -> Callable[[JSON, str], JSON]:
    def checked(value: JSON, path: str) -> JSON:
        match value:
            case str() if _INTEGER.fullmatch(value):
                value = int(value)
            case float() if value.is_integer():
                value = int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            raise Mismatch(path, f"expected {name}, got {kind(value)}")
        if low is not None and value < low:
            raise Mismatch(path, f"expected {name}, got a negative number")
        return value

    return checked


def _float(value: JSON, path: str) -> JSON:
    if isinstance(value, str) and re.fullmatch(r"[+-]?[0-9]{1,20}(\.[0-9]{1,20})?", value):
        return float(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise Mismatch(path, f"expected float, got {kind(value)}")
    return value


def _dict(value: JSON, path: str) -> JSON:
    if not isinstance(value, dict):
        raise Mismatch(path, f"expected an object, got {kind(value)}")
    return value


def _anything(value: JSON, _path: str) -> JSON:
    return value


_SCALAR_CHECKS: dict[str, Callable[[JSON, str], JSON]] = {
    "string": _string,
    "boolean": _boolean,
    "int": _integer("int", None),
    "long": _integer("long", None),
    "uint": _integer("uint", 0),
    "ulong": _integer("ulong", 0),
    "float": _float,
    "dict": _dict,
    "object": _anything,
}
