# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether anything was leaked, by what the agent saw while nothing went on; without any I/O.

A `look` is what `agent.look` returns, `Rest` is how the host was at rest before the first fault.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from vdsm_contract.limits import POOL_SIZE

Look = Mapping[str, Any]

STORAGE: Final = "/rhev/"
MOST_CONNECTIONS: Final = 20
"""Sockets that a daemon may have beyond those at rest and one for each worker process, right behind
the load: connections of clients, and those of vdsm's proxy, which keeps more than it needs for a
while (vdsm_contract.limits.IDLE_SECONDS)."""
QUIET_CONNECTIONS: Final = {"vdsm": 7 + POOL_SIZE, "supervdsm": POOL_SIZE}
"""The same after that while: the clients, and what the proxy keeps for good."""
MORE_FILES: Final = 2
"""Other descriptors than sockets beyond those at rest: what is read at the moment of the look."""
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
    fds: Mapping[str, Mapping[str, int]]
    """By the unit, how many of each kind."""
    workers: int


def at_rest(look: Look) -> Rest:
    """Take a look as the measure for all later ones."""
    fds = {unit: descriptors(files) for unit, files in look["fds"].items()}
    return Rest(tuple(look["containers"]), mounts(look["mounts"]), fds, workers(look))


def descriptors(files: Iterable[str]) -> Counter[str]:
    """Count sockets and the others."""
    return Counter("sockets" if file.startswith("socket:") else "files" for file in files)


def workers(look: Look) -> int:
    """The worker processes of vdsm; each is spoken to through a socket."""
    return len(look["processes"]["vdsm"]) - 1


def mounts(paths: Iterable[str]) -> Counter[str]:
    """Count what is mounted where, but for storage. Containers have other ids each time."""
    return Counter(_ID.sub("ID", path) for path in paths if not path.startswith(STORAGE))


def unsteady(look: Look, rest: Rest, *, quiet: bool = False) -> list[str]:
    """What has not come back, or not yet: everything that may take a moment. With `quiet` there
    was no load for a while."""
    return [*_unsteady(look, rest), *_descriptors(look, rest, quiet=quiet)]


def _unsteady(look: Look, rest: Rest) -> Iterator[str]:
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
    health = look["health"]
    if health["inFlight"] > MOST_IN_FLIGHT or health["overdue"]:
        yield f"locks: supervdsm has {health['inFlight']} calls in flight: {health['overdue']}"
    if look["journal"]:
        yield f"journal: {look['journal']}"
    yield from _processes(look)


def _descriptors(look: Look, rest: Rest, *, quiet: bool) -> Iterator[str]:
    for unit, files in look["fds"].items():
        if unit not in QUIET_CONNECTIONS:
            connections = 0
        else:
            connections = QUIET_CONNECTIONS[unit] if quiet else MOST_CONNECTIONS
        if unit == "vdsm":
            connections += max(workers(look) - rest.workers, 0)
        more = descriptors(files)
        more.subtract(rest.fds[unit])
        if more["sockets"] > connections or more["files"] > MORE_FILES:
            kinds = Counter(re.sub(r"[0-9]+", "N", file) for file in files)
            yield f"fds: {unit} has {dict(more)} more than at rest: {dict(kinds)}"


def _processes(look: Look) -> Iterator[str]:
    for unit, names in look["processes"].items():
        counts = Counter(names)
        if unit == "vdsm":
            if len(names) - 1 > MOST_WORKERS or "qemu-img" in counts:
                yield f"processes: vdsm has {dict(counts)}"
        elif unit == "supervdsm" and len(names) != 1:
            yield f"processes: supervdsm has {dict(counts)}"
