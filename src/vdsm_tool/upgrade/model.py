# SPDX-License-Identifier: GPL-2.0-or-later
"""What an upgrade is about: the pair of images that runs, the one that shall run, how far it is."""

from collections.abc import Callable
from enum import StrEnum
from typing import Annotated, Final

from msgspec import Meta, Struct

from vdsm_tool.upgrade.snapshot import Snapshot

Tell = Callable[[str], None]
"""Takes a line of progress for a person: what is being done, how far it is."""

FORMAT: Final = 1
"""Of the files below `paths.STATE`: the old image must understand what the new one wrote."""


ImageId = Annotated[str, Meta(pattern=r"\A[0-9a-f]{64}\Z")]
Word = Annotated[str, Meta(pattern=r"\A[A-Za-z0-9][A-Za-z0-9._+~-]{0,63}\Z")]
"""What may be a part of a file's name and of an image's tag."""
Id = Annotated[str, Meta(pattern=r"\A[0-9a-f]{8,32}\Z")]


class Pair(Struct, frozen=True, rename="camel"):
    """Two images of one release. `vdsm` and `supervdsm` are image ids of 64 hexadecimal digits.

    msgspec looks at the patterns when it reads one, not when Python makes one: see `pins.write`.
    """

    vdsm: ImageId
    supervdsm: ImageId
    version: Word
    contract: Word
    revision: str
    architecture: Word

    @property
    def name(self) -> str:
        """The name of its directory of pins."""
        return f"{self.version}-{self.supervdsm[:12]}-{self.vdsm[:12]}"


class Kind(StrEnum):
    """Why the images are swapped."""

    INSTALL = "install"
    UPGRADE = "upgrade"
    ROLLBACK = "rollback"


class Phase(StrEnum):
    """The last step that is done and on disk. What is not yet KEPT will be undone."""

    FETCHING = "fetching"
    """Nothing of this host has changed, but images may be added."""
    PREPARED = "prepared"
    """Both images are here and fit. The pins may have been switched already."""
    SWITCHED = "switched"
    """The new pins are in force. The services may have been restarted already."""
    RESTARTED = "restarted"
    """Both services of the new pair said READY."""
    KEPT = "kept"
    """The new pair passed its test. Only cleaning up is left."""


class Step(StrEnum):
    """What is done, one after the other; told once it is on disk. Phases are in capitals."""

    FETCHING = "FETCHING: this upgrade is on record"
    FETCHED = "the images are here"
    PREPARED = "PREPARED: the images fit each other and this host"
    NAMED = "vdsm-upgrade.service knows both pairs"
    STARTED = "vdsm-upgrade.service is started"
    SEEN = "networks and mounts are noted"
    WRITTEN = "the pins are written"
    PINNED = "the pins are switched"
    ORDERED = "vdsm will stop before supervdsm and start after it"
    SWITCHED = "SWITCHED: systemd knows the new pins"
    RESTARTING = "the services are told to restart"
    RESTARTED = "RESTARTED: both services said READY"
    TESTED = "the new pair passed its test"
    KEPT = "KEPT: the new pair stays"
    TAGGED = "the images have names"
    CLEARED = "the order of restarts is as ever"
    RECORDED = "the history has it"
    DONE = "this upgrade is off the record"


class Pending(Struct, frozen=True, kw_only=True, rename="camel"):
    """An upgrade under way. Times are in seconds since the epoch; `timeout` in seconds."""

    id: Id
    kind: Kind
    source: list[str]
    started: float
    timeout: float
    phase: Phase
    old: Pair
    new: Pair | None = None
    before: Snapshot | None = None
    reason: str = ""
    format: int = FORMAT


class Outcome(StrEnum):
    """How an upgrade ended."""

    KEPT = "kept"
    ROLLED_BACK = "rolled back"
    REFUSED = "refused"
    """Nothing of the host was touched."""
    BROKEN = "broken"
    """It could neither be finished nor undone; `reason` says what a person must do."""
    UNCHANGED = "unchanged"
    """The pair that was asked for runs already. Not in the history."""
    DRY_RUN = "dry run"
    """Nothing was changed; it would be tried. Not in the history."""


class Entry(Struct, frozen=True, kw_only=True, rename="camel"):
    """A line of the history. `old` is None for the first installation."""

    id: str
    kind: Kind
    source: list[str]
    started: float
    ended: float
    outcome: Outcome
    phase: Phase
    old: Pair | None
    new: Pair | None
    reason: str = ""
    format: int = FORMAT
