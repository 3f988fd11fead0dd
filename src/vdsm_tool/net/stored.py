# SPDX-License-Identifier: GPL-2.0-or-later
"""The stored configurations, and how the one that runs differs from the one that a boot restores.

Both are in oVirt's layout below /var/lib/vdsm: one JSON file for each network, bond and device
(upstream-vdsm 3.6). They are shown, not understood: supervdsm alone decides what they mean.
"""

from pathlib import Path
from typing import Final, Literal, TypeAlias

import msgspec
from msgspec import Struct

from vdsm_contract.paths import STATE_DIR

Kind = Literal["network", "bond", "device"]
_DIRECTORIES: Final[dict[Kind, str]] = {"network": "nets", "bond": "bonds", "device": "devices"}

Attributes: TypeAlias = dict[str, object]
Configuration: TypeAlias = dict[tuple[Kind, str], Attributes]


class Difference(Struct, frozen=True, rename="camel"):
    """How one network, bond or device runs, and what a boot makes of it."""

    kind: Kind
    name: str
    running: Attributes | None
    """The attributes that differ, or all; None when a boot brings it and it does not run."""
    persistent: Attributes | None
    """Likewise; None when it runs and a boot forgets it."""

    def __str__(self) -> str:
        if self.persistent is None:
            return "not persistent, a boot forgets it"
        if self.running is None:
            return "does not run, a boot brings it"
        runs, kept = self.running, self.persistent
        return "; ".join(
            f"{name} {_text(runs.get(name))}, after a boot {_text(kept.get(name))}"
            for name in sorted(runs.keys() | kept.keys())
        )


def differences(state_dir: Path = STATE_DIR) -> list[Difference]:
    """Return what a boot would change. Raises OSError."""
    runs_now = running(state_dir)
    persistent = _read(state_dir / "persistence/netconf")
    found = []
    for kind, name in sorted(runs_now.keys() | persistent.keys()):
        runs, kept = runs_now.get((kind, name)), persistent.get((kind, name))
        if runs == kept:
            continue
        if runs is not None and kept is not None:
            runs, kept = _without_equal(runs, kept), _without_equal(kept, runs)
        found.append(Difference(kind, name, runs, kept))
    return found


def running(state_dir: Path = STATE_DIR) -> Configuration:
    """Return what shall run, by kind and name. Raises OSError."""
    return _read(state_dir / "staging/netconf")


def running_networks(state_dir: Path = STATE_DIR) -> list[str]:
    """Return the names of the networks that shall run. Raises OSError."""
    return sorted(n for kind, n in running(state_dir) if kind == "network")


def _without_equal(one: Attributes, other: Attributes) -> Attributes:
    return {name: value for name, value in one.items() if name not in other or other[name] != value}


def _read(link: Path) -> Configuration:
    tree = link.resolve()  # once: the link may be switched meanwhile
    return {
        (kind, file.name): _attributes(file)
        for kind, directory in _DIRECTORIES.items()
        for file in _entries(tree / directory)
    }


def _entries(directory: Path) -> list[Path]:
    try:
        return sorted(directory.iterdir())
    except FileNotFoundError:
        return []


def _attributes(file: Path) -> Attributes:
    try:
        return msgspec.json.decode(file.read_bytes(), type=dict[str, object])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return {"unreadable": file.name}


def _text(value: object) -> str:
    match value:
        case None:
            return "unset"
        case str():
            return value
        case _:
            return msgspec.json.encode(value).decode()
