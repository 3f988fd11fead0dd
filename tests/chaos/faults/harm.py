# SPDX-License-Identifier: GPL-2.0-or-later
"""What faults are given, and what they tell."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from chaos.load.client import Client
from chaos.site import Site


@dataclass(frozen=True)
class Target:
    """The host and its clients."""

    site: Site
    clients: Sequence[Client]


@dataclass(frozen=True)
class Harm:
    """What a fault has done."""

    began: float
    """When recovery begins to count, on time.monotonic()'s clock."""
    replaced: Mapping[str, str] = field(default_factory=dict)
    """The containers that are to be replaced, by their units."""
    booted: bool = False
    check: Callable[[], Sequence[str]] = lambda: ()
    """What is wrong beside the rules that hold always; asked once the host has recovered."""
    title: str = ""
    """What it counts as in the report, when that is not its kind and target."""
