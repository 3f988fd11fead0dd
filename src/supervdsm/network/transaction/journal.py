# SPDX-License-Identifier: GPL-2.0-or-later
"""The journal: one file that says how to end a change that was cut off.

It is there from before the first operation of a change until after its last file. `open` leads
back to the state before, `committed` leads forward to the new configuration. Each of its writes is
one rename (`durable.replace`), so it is never half written.
"""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec

from supervdsm.common.text import quote
from supervdsm.network.plan.state import State
from supervdsm.network.transaction import durable

_log: Final = logging.getLogger(__name__)
FORMAT: Final = 1
_MOST: Final = 64 * 1024 * 1024
"""Bytes. A state of 1,000 networks takes about 1 MiB."""


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """A change under way."""

    format: int = FORMAT
    phase: Literal["open", "committed"] = "open"
    method: Annotated[str, msgspec.Meta(pattern=r"\A[ -~]{0,200}\Z")]
    """The verb that makes the change."""
    flow_id: str
    started: float
    """Seconds since the epoch."""
    before: State
    """How the devices that the change is about were: a target."""
    running: str = ""
    """Name of the tree that becomes the running configuration; empty for none."""
    persistent: str = ""
    """Name of the tree that becomes the persistent configuration; empty for none."""

    @property
    def title(self) -> str:
        """The change in a few words, for logs."""
        return f"{self.method} flow={quote(self.flow_id, 256)}"


class Journal:
    """The file `path`, whose directory is made when the first record is written."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> Record | None:
        """Return the change under way; None when there is none.

        A file that is no record is a defect, ours or a disk's. It cannot be obeyed, so it is kept
        beside as `.bad`, and None is returned for it too. Raises OSError.
        """
        try:
            content = durable.read(self._path, most=_MOST)
        except FileNotFoundError:
            return None
        try:
            record = msgspec.json.decode(content, type=Record)
            if record.format != FORMAT:
                raise ValueError(f"format {record.format}, expected {FORMAT}")
        except (ValueError, RecursionError) as error:
            self.set_aside(str(error))
            return None
        return record

    @property
    def is_there(self) -> bool:
        """Whether there is a file, whatever is in it."""
        return self._path.is_file()

    def open(self, record: Record) -> None:
        """Begin a change. Raises OSError."""
        durable.make_directory(self._path.parent, 0o700)
        durable.replace(self._path, msgspec.json.encode(record))

    def commit(self, record: Record, check: Callable[[], None]) -> Record:
        """Turn back into forward: from here on the change is made, whatever happens.

        `check` is asked at the last moment and may raise; then all is as before. Raises OSError.
        """
        committed = msgspec.structs.replace(record, phase="committed")
        try:
            durable.replace(self._path, msgspec.json.encode(committed), check=check)
        except OSError as error:
            if self.read() != committed:
                raise
            # Whoever reads it goes forward, and so must we.
            _log.error("The commit of %s may not last through a power cut: %s", record.title, error)
        return committed

    def close(self) -> None:
        """End the change. Raises OSError."""
        durable.remove(self._path)

    def tidy(self) -> None:
        """Remove what a process that was killed while it wrote has left. Raises OSError."""
        durable.beside(self._path).unlink(missing_ok=True)

    def set_aside(self, reason: str) -> None:
        """Give up a record, keeping it for whoever wants to know. Raises OSError."""
        bad = self._path.with_name(f"{self._path.name}.bad")
        _log.critical("The journal of network changes is set aside as %s: %s", bad, reason)
        self._path.rename(bad)
        durable.flush_directory(bad.parent)
