# SPDX-License-Identifier: GPL-2.0-or-later
"""The table of verbs: what a handler is, what it is told about its call, and how it is found.

The table is built once at start from an explicit mapping, for example::

    registry({"Host.getStats": host.get_stats}, local={"Host.ping2": host.ping2})

A handler is a plain synchronous function that runs in the worker pool. It takes the `Call` and its
parameters by name, already checked and converted by the schema (a decimal string that the schema
calls an int arrives as an int; optional parameters that the caller left out are absent). It
returns a JSON value, where None reaches the client as `true`, or raises `errors.VdsmError`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from vdsm.jsonrpc.errors import JSON

__all__ = ["JSON", "Address", "Call", "Handler", "Lane", "Params", "Registry", "registry"]

# [A-Za-z_]+ for the namespace: all of oVirt's are letters; the verb may hold digits and `_`.
_NAME = re.compile(r"[A-Za-z]+\.[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Address:
    """One end of a TCP connection; an IPv4 peer of a dual stack socket is written as IPv4."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Call:
    """What a handler may know about its call, besides the parameters.

    `flow_id` is the engine's correlation id ("" when it sent none). `client` and `local` are the
    two ends of the connection; `local.host` is the address that the engine reached this host by.
    """

    method: str
    flow_id: str
    client: Address
    local: Address


class Lane(Enum):
    """What a verb may wait for. Each lane has workers of its own, so that a storage server or a
    supervdsm that does not answer keeps no engine from hearing that the host is there."""

    LOCAL = "nothing outside of vdsm"
    HOST = "the host and supervdsm"
    STORAGE = "storage servers, which may be dead"
    NETWORK = "a change of the network, which waits for the engine"


Params: TypeAlias = Mapping[str, JSON]
Handler: TypeAlias = Callable[[Call, Params], JSON]


class Registry(Mapping[str, Handler]):
    """An immutable mapping from `Namespace.verb` to its handler, and in which lane that runs."""

    def __init__(self, table: Mapping[str, Handler], lanes: Mapping[str, Lane]) -> None:
        for name in table:
            if not _NAME.fullmatch(name):
                raise ValueError(f"{name!r} is not a verb's name (Namespace.verb)")
        self._table = dict(table)
        self._lanes = dict(lanes)

    def lane(self, name: str) -> Lane:
        """The lane of a verb. Raises KeyError."""
        return self._lanes[name]

    def __getitem__(self, name: str) -> Handler:
        return self._table[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._table)

    def __len__(self) -> int:
        return len(self._table)


def registry(
    *host: Mapping[str, Handler],
    local: Mapping[str, Handler] | None = None,
    storage: Mapping[str, Handler] | None = None,
    network: Mapping[str, Handler] | None = None,
) -> Registry:
    """One table out of several, by their lanes. Raises ValueError when two hold the same verb."""
    merged: dict[str, Handler] = {}
    lanes: dict[str, Lane] = {}
    tables = [
        *((Lane.HOST, table) for table in host),
        (Lane.LOCAL, local or {}),
        (Lane.STORAGE, storage or {}),
        (Lane.NETWORK, network or {}),
    ]
    for lane, table in tables:
        for name, handler in table.items():
            if name in merged:
                raise ValueError(f"the verb {name} is registered twice")
            merged[name] = handler
            lanes[name] = lane
    return Registry(merged, lanes)
