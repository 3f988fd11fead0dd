# SPDX-License-Identifier: GPL-2.0-or-later
"""The varlink interface text, generated from the declarations.

`varlinkctl introspect` shows it, and `varlinkctl validate-idl` must accept it. Source of the
grammar: varlink.org, "Interface Definition".
"""

import dataclasses
import textwrap
import typing
from collections.abc import Iterable, Iterator
from typing import Any, Final, cast

import msgspec
from msgspec import inspect as mi

from vdsm_contract.declare import Empty, Interface, Verb
from vdsm_contract.errors import BY_NAME, VerbError

_WIDTH: Final = 90


def interface_text(interface: type[Interface]) -> str:
    """Return the definition of `interface` with its types, errors and methods."""
    blocks = [_comment(interface.__doc__ or "") + f"interface {interface.INTERFACE}"]
    blocks += [_type_text(struct) for struct in _named_types(interface)]
    blocks += [_error_text(error) for error in _errors(interface)]
    blocks += [_method_text(verb) for verb in interface.VERBS.values()]
    return "\n\n".join(blocks) + "\n"


def _method_text(verb: Verb) -> str:
    arguments = _fields(_fields_of(verb.parameters))
    result = _fields(_fields_of(verb.result or Empty))
    return f"{_comment(verb.doc)}method {verb.name}{arguments} -> {result}"


def _type_text(struct: mi.StructType) -> str:
    comment = _comment(struct.cls.__doc__ or "")
    return f"{comment}type {struct.cls.__name__} {_fields(struct.fields)}"


def _error_text(error: type[VerbError]) -> str:
    hints = typing.get_type_hints(error)
    fields = [
        f"{field.name}: {_type(mi.type_info(hints[field.name]))}"
        for field in dataclasses.fields(error)  # type: ignore[arg-type]
    ]
    name = error.name.rpartition(".")[2]
    return f"{_comment(error.__doc__ or '')}error {name} {_parenthesis(fields)}"


def _errors(interface: type[Interface]) -> list[type[VerbError]]:
    return [
        error for name, error in BY_NAME.items() if name.rpartition(".")[0] == interface.INTERFACE
    ]


def _fields(fields: tuple[mi.Field, ...]) -> str:
    return _parenthesis([f"{field.encode_name}: {_field_type(field)}" for field in fields])


def _fields_of(struct: type[msgspec.Struct]) -> tuple[mi.Field, ...]:
    return cast("mi.StructType", mi.type_info(struct)).fields


def _parenthesis(fields: list[str]) -> str:
    line = f"({', '.join(fields)})"
    if len(line) <= _WIDTH:
        return line
    return "(\n" + ",\n".join(f"  {field}" for field in fields) + "\n)"


def _field_type(field: mi.Field) -> str:
    text = _type(field.type)
    return text if field.required or text.startswith("?") else f"?{text}"


def _type(kind: mi.Type) -> str:
    match kind:
        case mi.StrType() | mi.BytesType():
            return "string"
        case mi.BoolType():
            return "bool"
        case mi.IntType():
            return "int"
        case mi.FloatType():
            return "float"
        case mi.ListType(item_type=item):
            return f"[]{_element(item)}"
        case mi.DictType(value_type=value):
            return f"[string]{_element(value)}"
        case mi.LiteralType(values=values):
            return f"({', '.join(str(value) for value in values)})"
        case mi.StructType(cls=cls):
            return cls.__name__
        case mi.AnyType():
            return "object"
        case mi.CustomType(cls=cls) if cls is object:
            return "object"
        case mi.UnionType(types=types):
            [one] = [t for t in types if not isinstance(t, mi.NoneType)]
            return f"?{_type(one)}"
    raise TypeError(f"varlink has no type for {kind}")


def _element(kind: mi.Type) -> str:
    """The type of what a list or map holds. systemd takes no list or map there."""
    if isinstance(kind, mi.ListType | mi.DictType):
        raise TypeError(f"varlink has no list or map of {kind}: name a struct")
    return _type(kind)


def _named_types(interface: type[Interface]) -> list[mi.StructType]:
    """Return the structs that the methods' fields name, each once, innermost first."""
    found: dict[type[msgspec.Struct], mi.StructType] = {}
    for verb in interface.VERBS.values():
        for struct in (verb.parameters, verb.result or Empty):
            for field in _fields_of(struct):
                for inner in _structs(field.type):
                    found.setdefault(inner.cls, inner)
    return list(found.values())


def _structs(kind: Any) -> Iterator[mi.StructType]:
    inner: Iterable[mi.Type] = ()
    match kind:
        case mi.ListType(item_type=item):
            inner = (item,)
        case mi.DictType(value_type=value):
            inner = (value,)
        case mi.UnionType(types=types):
            inner = types
        case mi.StructType(fields=fields):
            inner = tuple(field.type for field in fields)
    for one in inner:
        yield from _structs(one)
    if isinstance(kind, mi.StructType):
        yield kind


def _comment(text: str) -> str:
    paragraph = " ".join(text.split())
    return "".join(f"# {line}\n" for line in textwrap.wrap(paragraph, _WIDTH))
