# SPDX-License-Identifier: GPL-2.0-or-later
"""A request in types: what is to be set up and what is to go. No I/O."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from supervdsm.network.config import Bond, Configuration, Network
from supervdsm.network.request.facts import Facts


@dataclass(frozen=True, slots=True)
class Request:
    """Networks and bonds by name, as they shall be, in the order of the request."""

    networks: Mapping[str, Network] = field(default_factory=dict)
    bonds: Mapping[str, Bond] = field(default_factory=dict)
    """Also those that exist, are nobody's, and are taken over with a network on them."""
    removed_networks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """With the attributes that were given beside `remove` and may not be."""
    removed_bonds: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Change:
    """A request with all that it is checked against."""

    request: Request
    running: Configuration
    new: Configuration
    """What the request leads to."""
    facts: Facts
