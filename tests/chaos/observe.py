# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether anything was leaked, by what the agent saw while nothing went on; without any I/O.

A `look` is what `agent.look` returns, `Rest` is how the host was at rest before the first fault.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

Look = Mapping[str, Any]

STORAGE: Final = "/rhev/"
MOST_FDS: Final = 24
"""Descriptors that a daemon may have beyond those at rest: connections of clients, of vdsm's proxy
(vdsm_contract.limits.POOL_SIZE), and the pipes of worker processes."""
MOST_WORKERS: Final = 24
"""Worker processes that vdsm may keep, a few for each mount that it has."""
MOST_IN_FLIGHT: Final = 8
"""Calls in supervdsm at rest: Health itself, vdsm's wait for news of links, and those of former
vdsms, which end by their own limit."""

_ID: Final = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True)
class Rest:
    """The host at rest."""

    containers: tuple[str, ...]
    mounts: Mapping[str, int]
    fds: Mapping[str, int]


def at_rest(look: Look) -> Rest:
    """Take a look as the measure for all later ones."""
    fds = {unit: len(files) for unit, files in look["fds"].items()}
    return Rest(tuple(look["containers"]), mounts(look["mounts"]), fds)


def mounts(paths: Iterable[str]) -> Counter[str]:
    """Count what is mounted where, but for storage. Containers have other ids each time."""
    return Counter(_ID.sub("ID", path) for path in paths if not path.startswith(STORAGE))


def unsteady(look: Look, rest: Rest, health: Mapping[str, Any]) -> list[str]:
    """What has not come back, or not yet: everything that may take a moment."""
    return list(_unsteady(look, rest, health))


def _unsteady(look: Look, rest: Rest, health: Mapping[str, Any]) -> Iterator[str]:
    if tuple(look["containers"]) != rest.containers:
        yield f"containers: {look['containers']}, expected {list(rest.containers)}"
    for unit, state in look["units"].items():
        if state != "running":
            yield f"unit {unit} is {state}"
    found = mounts(look["mounts"])
    for path in sorted(found.keys() | rest.mounts.keys()):
        if found[path] != rest.mounts.get(path, 0):
            yield f"mounts: {path} {found[path]} times, expected {rest.mounts.get(path, 0)}"
    for name in look["zombies"]:
        yield f"zombie: {name}"
    if health["inFlight"] > MOST_IN_FLIGHT or health["overdue"]:
        yield f"locks: supervdsm has {health['inFlight']} calls in flight: {health['overdue']}"
    if look["journal"]:
        yield f"journal: {look['journal']}"
    yield from _processes(look)
    for unit, files in look["fds"].items():
        if len(files) > rest.fds[unit] + MOST_FDS:
            kinds = Counter(re.sub(r"[0-9]+", "N", file) for file in files)
            yield f"fds: {unit} has {len(files)}, at rest {rest.fds[unit]}: {dict(kinds)}"


def _processes(look: Look) -> Iterator[str]:
    for unit, names in look["processes"].items():
        counts = Counter(names)
        if unit == "vdsm":
            workers = len(names) - 1
            if workers > MOST_WORKERS or "qemu-img" in counts:
                yield f"processes: vdsm has {dict(counts)}"
        elif unit == "supervdsm" and len(names) != 1:
            yield f"processes: supervdsm has {dict(counts)}"
