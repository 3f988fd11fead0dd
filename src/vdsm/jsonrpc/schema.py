# SPDX-License-Identifier: GPL-2.0-or-later
"""The API: which verbs there are, what they take, and the check of a call's parameters.

The data is in `api/`: one file per namespace, and `types.toml`. Names and types are oVirt's, the
descriptions are this project's. vdsm checks calls with it and vdsm-client makes its help from it.
"""

from __future__ import annotations

import logging
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

from vdsm.jsonrpc.errors import JSON, Code, VdsmError
from vdsm.jsonrpc.typespec import (
    Member,
    Mismatch,
    SpecError,
    Type,
    check_members,
    names_in,
    parse_type,
)

log = logging.getLogger(__name__)

_TYPES = "types.toml"
_PARAMETER = re.compile(r"(\w+)(\?)?: ([^#]+?)(?:\s*#\s*(.*))?")

# A member whose name holds one of these words is not written to a log or a terminal.
_SECRET = re.compile(
    r"pass(word|wd|code|phrase)|secret|token|cred|ticket|connection_info|_x_|private_?key",
    re.IGNORECASE,
)

# The same in a text: mount options, such as those of CIFS, may carry a password. It may have blanks
# and commas in it, so nothing of the rest of its line is shown.
_SECRET_OPTION = re.compile(r"(\b(?:pass\w*|secret\w*|token|cred\w*)\s*=)[^\n]*", re.IGNORECASE)
_DEPTH = 32  # no type of the API is nested deeper


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a verb; `about` may be empty when the name says it all."""

    name: str
    type: Type
    text: str
    optional: bool
    about: str


@dataclass(frozen=True, slots=True)
class Verb:
    """One verb: `engine` tells whether oVirt's engine calls it; `returns` is a type's text."""

    name: str
    about: str
    parameters: tuple[Parameter, ...]
    returns: str
    engine: bool


class Schema:
    """All verbs and types. Raises SpecError when the data contradicts itself."""

    def __init__(self, verbs: Mapping[str, Verb], types: Mapping[str, Type]) -> None:
        self.verbs = verbs
        self.types = types
        self._members = {
            method: tuple(Member(p.name, p.type, p.optional) for p in verb.parameters)
            for method, verb in verbs.items()
        }
        for verb in verbs.values():
            for parameter in verb.parameters:
                self._resolve(parameter.type, f"{verb.name}({parameter.name})")
            if verb.returns:
                self._resolve(parse_type(verb.returns), f"{verb.name} ->")
        for name, spec in types.items():
            self._resolve(spec, name)

    def _resolve(self, spec: Type, where: str) -> None:
        for name in sorted(names_in(spec)):
            if name not in self.types:
                raise SpecError(f"{where} uses the type {name}, which is not in {_TYPES}")

    @property
    def namespaces(self) -> list[str]:
        return sorted({name.partition(".")[0] for name in self.verbs})

    def check(self, method: str, params: Mapping[str, JSON] | list[JSON]) -> dict[str, JSON]:
        """The parameters of a call by name, converted; a list is taken in the verb's own order.

        Raises KeyError for an unknown method, VdsmError -32602 that names the wrong field.
        """
        verb = self.verbs[method]
        named = _by_position(verb, params) if isinstance(params, list) else params
        members = self._members[method]
        known = {member.name for member in members}
        unknown = sorted(named.keys() - known)
        if unknown:
            shown = ", ".join(f"{name:.32}" for name in unknown[:8])
            log.info("%s: %d unknown parameters are ignored: %r", method, len(unknown), shown)
        given = {name: value for name, value in named.items() if name in known}
        try:
            return check_members(given, members, "", self.types)
        except Mismatch as mismatch:
            raise VdsmError(Code.INVALID_PARAMS, str(mismatch)) from None


def _by_position(verb: Verb, params: list[JSON]) -> dict[str, JSON]:
    if len(params) > len(verb.parameters):
        count = len(verb.parameters)
        raise VdsmError(
            Code.INVALID_PARAMS, f"{verb.name} takes {count} parameters, got {len(params)}"
        )
    return {p.name: value for p, value in zip(verb.parameters, params, strict=False)}


def redact(value: JSON, depth: int = _DEPTH) -> JSON:
    """A copy for the log, without the values of members whose names say that they are secret, and
    of options such as `password=...` in a text. What is nested deeper than `depth` is left out."""
    if isinstance(value, str):
        return _SECRET_OPTION.sub(r"\1***", value)
    if not isinstance(value, (dict, list)):
        return value
    if not depth:
        return "..."
    if isinstance(value, list):
        return [redact(v, depth - 1) for v in value]
    return {k: "***" if _SECRET.search(k) else redact(v, depth - 1) for k, v in value.items()}


def parse_parameter(text: str) -> Parameter:
    """Reads `name?: type  # what it is`. Raises SpecError."""
    match = _PARAMETER.fullmatch(text)
    if not match:
        raise SpecError(f"{text!r} is not `name: type  # description`")
    name, optional, spec, about = match.groups()
    return Parameter(name, parse_type(spec), spec, bool(optional), about or "")


def _load_verbs(file: Traversable) -> dict[str, Verb]:
    namespace = file.name.removesuffix(".toml")
    verbs = {}
    for verb, data in tomllib.loads(file.read_text("utf-8")).items():
        name = f"{namespace}.{verb}"
        unknown = data.keys() - {"about", "params", "returns", "engine"}
        if unknown or not data.get("about"):
            raise SpecError(f"{name}: wrong or missing keys {sorted(unknown) or 'about'}")
        verbs[name] = Verb(
            name,
            data["about"],
            tuple(map(parse_parameter, data.get("params", []))),
            data.get("returns", ""),
            data.get("engine", False),
        )
    return verbs


@cache
def load() -> Schema:
    """The schema that this vdsm speaks."""
    verbs: dict[str, Verb] = {}
    types: dict[str, Type] = {}
    for file in (files("vdsm.jsonrpc") / "api").iterdir():
        if file.name == _TYPES:
            for name, text in tomllib.loads(file.read_text("utf-8")).items():
                types[name] = parse_type(" ".join(text.split()))
        elif file.name.endswith(".toml"):
            verbs.update(_load_verbs(file))
    return Schema(verbs, types)
