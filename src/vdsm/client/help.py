# SPDX-License-Identifier: GPL-2.0-or-later
"""The help of vdsm-client, made from the API's schema."""

from __future__ import annotations

import shlex
import textwrap

import msgspec

from vdsm.client.values import sample
from vdsm.jsonrpc.schema import Parameter, Schema, Verb
from vdsm.jsonrpc.typespec import MapOf, Union, names_in, parse_type, write_type

_WIDTH = 100
_NOT_EXPLAINED = frozenset({"UUID", "Scalar"})


def namespaces(schema: Schema) -> str:
    """What there is, for `vdsm-client -h`."""
    lines = ["namespaces:"]
    for namespace in schema.namespaces:
        count = len(_verbs(schema, namespace))
        lines.append(f"  {namespace:18} {count} {'verb' if count == 1 else 'verbs'}")
    lines += [
        "",
        "more help:",
        "  vdsm-client Host -h           the verbs of a namespace",
        "  vdsm-client Host echo -h      a verb's parameters, with an example",
        "",
        "examples:",
        "  vdsm-client Host getCapabilities",
        "  vdsm-client Host echo message=hi",
        "  vdsm-client -f params.json StoragePool connectStorageServer",
    ]
    return "\n".join(lines)


def namespace(schema: Schema, name: str) -> str:
    """The verbs of a namespace, for `vdsm-client Host -h`."""
    lines = [f"usage: vdsm-client {name} VERB [key=value ...]", "", "verbs:"]
    for verb in _verbs(schema, name):
        lines += _entry(verb.name.partition(".")[2], verb.about)
    return "\n".join(lines)


def verb(schema: Schema, described: Verb) -> str:
    """One verb in full, for `vdsm-client Host echo -h`."""
    command = described.name.replace(".", " ")
    usage = [_usage(parameter) for parameter in described.parameters]
    lines = _wrapped(" ".join([f"usage: vdsm-client {command}", *usage]), "       ")
    lines += ["", *_wrapped(described.about), ""]
    if described.parameters:
        lines.append("parameters:")
        for parameter in described.parameters:
            optional = "may be left out. " if parameter.optional else ""
            lines += _entry(f"{parameter.name}: {parameter.text}", optional + parameter.about)
        lines.append("")
    if described.returns:
        lines += [f"returns: {described.returns}", ""]
    explained = _types(schema, described)
    if explained:
        lines += ["types:", *explained, ""]
    return "\n".join([*lines, "example:", *_example(schema, described)])


def _verbs(schema: Schema, namespace: str) -> list[Verb]:
    return [v for name, v in sorted(schema.verbs.items()) if name.startswith(f"{namespace}.")]


def _usage(parameter: Parameter) -> str:
    word = f"{parameter.name}=..."
    return f"[{word}]" if parameter.optional else word


def _types(schema: Schema, described: Verb) -> list[str]:
    """Definitions of the types that the verb's own line mentions."""
    mentioned = [names_in(parameter.type) for parameter in described.parameters]
    if described.returns:
        mentioned.append(names_in(parse_type(described.returns)))
    names = frozenset().union(*mentioned)
    # What a union or a map is made of says more than its name does.
    made = [schema.types[name] for name in names if isinstance(schema.types[name], (Union, MapOf))]
    names = names.union(*map(names_in, made))
    lines: list[str] = []
    for name in sorted(names - _NOT_EXPLAINED):
        lines += _wrapped(f"  {name} = {write_type(schema.types[name])}", "      ")
    return lines


def _example(schema: Schema, described: Verb) -> list[str]:
    words = []
    for parameter in described.parameters:
        if not parameter.optional:
            value = sample(schema, parameter.type)
            text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
            words.append(f"{parameter.name}={shlex.quote(text)}")
    # Not wrapped: an example is there to be copied.
    return [" ".join(["  vdsm-client", described.name.replace(".", " "), *words])]


def _entry(name: str, about: str) -> list[str]:
    if len(name) <= 26:
        return _wrapped(f"  {name:26} {about}", " " * 29)
    return [f"  {name}", *_wrapped(" " * 29 + about, " " * 29)]


def _wrapped(text: str, indent: str = "") -> list[str]:
    return textwrap.wrap(
        text, _WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
