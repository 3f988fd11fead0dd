# SPDX-License-Identifier: GPL-2.0-or-later
"""How each upgrade ended: one line of JSON each, the newest last.

A line that cannot be understood (another release's, or damaged) is reported and left as it is; it
hides no other line.
"""

from pathlib import Path
from typing import Final

import msgspec

from vdsm_tool.errors import ToolError
from vdsm_tool.upgrade import durable, journal, paths
from vdsm_tool.upgrade.model import Entry, Outcome, Pair

_KEPT_LINES: Final = 1000
"""So many of the newest lines stay."""


class History(msgspec.Struct, frozen=True):
    """The entries in the order in which they ended, and what could not be understood."""

    entries: list[Entry]
    complaints: list[str]


def read(root: Path) -> History:
    """Return the history of the host's tree `root`."""
    entries, complaints = [], []
    for number, line in enumerate(_lines(root), 1):
        try:
            journal.check_format(line, paths.HISTORY)
            entries.append(msgspec.json.decode(line, type=Entry))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            complaints.append(f"{paths.HISTORY}, line {number}: {error}")
        except ToolError as error:
            complaints.append(f"{error.sentence} (line {number})")
    return History(entries, complaints)


def add(root: Path, entry: Entry) -> None:
    """Append `entry`, unless its upgrade is there: who finishes after a crash comes here again."""
    if any(known.id == entry.id for known in read(root).entries):
        return
    path = root / paths.HISTORY.relative_to("/")
    lines = [*_lines(root), msgspec.json.encode(entry)][-_KEPT_LINES:]
    durable.make_directory(path.parent, 0o700)
    durable.write(path, b"".join(line + b"\n" for line in lines), 0o600)


def find(root: Path, identifier: str) -> Entry | None:
    """Return the entry of one upgrade."""
    found = [entry for entry in read(root).entries if entry.id == identifier]
    return found[-1] if found else None


def previous(root: Path, current: Pair) -> Pair | None:
    """Return the pair that served before `current` was kept, None when none is known."""
    for entry in reversed(read(root).entries):
        if entry.outcome is Outcome.KEPT and entry.new == current and entry.old is not None:
            return entry.old
    return None


def _lines(root: Path) -> list[bytes]:
    data = durable.read(root / paths.HISTORY.relative_to("/")) or b""
    return [line for line in data.split(b"\n") if line.strip()]
