# SPDX-License-Identifier: GPL-2.0-or-later
"""`key=value` words of a command line as parameters of a verb, and made-up values for examples."""

from __future__ import annotations

import msgspec

from vdsm.jsonrpc.errors import JSON
from vdsm.jsonrpc.schema import Schema, Verb
from vdsm.jsonrpc.typespec import Enum, ListOf, MapOf, Named, Object, Raw, Scalar, Type, Union, kind

_UUID = "5a8b7c1e-0d3f-4c52-9e1b-2f4d6a7c8e90"


class UsageError(Exception):
    """A command line that means nothing; the message says why, in one sentence."""


def parameters(schema: Schema, verb: Verb, words: list[str]) -> dict[str, JSON]:
    """The parameters that `key=value` words give. Raises UsageError."""
    types = {parameter.name: parameter.type for parameter in verb.parameters}
    result: dict[str, JSON] = {}
    for word in words:
        key, equals, text = word.partition("=")
        if not equals:
            raise UsageError(f"{word!r} is not key=value")
        require_known(verb, key)
        result[key] = _value(schema, types[key], key, text)
    return result


def require_known(verb: Verb, name: str) -> None:
    """Raises UsageError when the verb has no parameter of this name."""
    names = [parameter.name for parameter in verb.parameters]
    if name not in names:
        takes = f"its parameters are: {', '.join(names)}" if names else "it takes none"
        raise UsageError(f"{verb.name} has no parameter {name!r}; {takes}")


def from_file(verb: Verb, name: str, content: bytes) -> dict[str, JSON]:
    """The parameters that a JSON file holds. Raises UsageError."""
    try:
        value: JSON = msgspec.json.decode(content)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"{name} is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise UsageError(f"{name} holds no object with parameters, but a JSON {kind(value)}")
    for key in value:
        require_known(verb, key)
    return value


def _value(schema: Schema, spec: Type, key: str, text: str) -> JSON:
    if _only_text(schema, spec):
        return text
    try:
        value: JSON = msgspec.json.decode(text.encode())
    except (msgspec.MsgspecError, RecursionError):
        if _takes_text(schema, spec):
            return text
        raise UsageError(f"{key}: {text!r} is not JSON (a string needs its own quotes)") from None
    return value


def _only_text(schema: Schema, spec: Type) -> bool:
    match spec:
        case Named(name):
            return _only_text(schema, schema.types[name])
        case Raw(meant):
            return _only_text(schema, meant)
        case Scalar(name):
            return name == "string"
        case Enum():
            return True
    return False


def _takes_text(schema: Schema, spec: Type) -> bool:
    match spec:
        case Named(name):
            return _takes_text(schema, schema.types[name])
        case Raw(meant):
            return _takes_text(schema, meant)
        case Union(alternatives):
            return any(_takes_text(schema, alternative) for alternative in alternatives)
    return _only_text(schema, spec)


def sample(schema: Schema, spec: Type) -> JSON:
    """A value that fits a type, for an example."""
    match spec:
        case Named("UUID"):
            return _UUID
        case Raw(meant):
            return sample(schema, meant)
        case Named(name):
            return sample(schema, schema.types[name])
        case Scalar("string"):
            return "text"
        case Scalar("boolean"):
            return True
        case Scalar("dict" | "object"):
            return {"key": "value"}
        case Scalar():
            return 1
        case Enum(words):
            return words[0]
        case ListOf(item):
            return [sample(schema, item)]
        case MapOf(_, value):
            return {"name": sample(schema, value)}
        case Union(alternatives):
            return sample(schema, alternatives[0])
        case Object(members):
            chosen = [m for m in members if not m.optional] or members[:1]
            return {member.name: sample(schema, member.type) for member in chosen}
