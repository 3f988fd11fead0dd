# SPDX-License-Identifier: GPL-2.0-or-later
"""What a command found out about one thing, in the one shape that `status` and `check` share."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Final

from msgspec import Struct

from vdsm_tool.errors import FAILED, HEALTHY, UNKNOWN


class Level(StrEnum):
    """How good a thing is."""

    OK = "ok"
    WARN = "warn"
    """It works, but something will miss or soon will."""
    FAIL = "fail"
    UNKNOWN = "unknown"
    """It could not be looked at."""


class Finding(Struct, frozen=True, rename="camel"):
    """One thing and its state; `way_out` says what to do about it and is empty when it is well."""

    name: str
    level: Level
    detail: str
    way_out: str = ""


_ORDER: Final = (Level.FAIL, Level.UNKNOWN, Level.WARN, Level.OK)


def ok(name: str, detail: str) -> Finding:
    """Return the finding of a thing that is well."""
    return Finding(name, Level.OK, detail)


def warn(name: str, detail: str, way_out: str) -> Finding:
    """Return the finding of a thing that works but will miss."""
    return Finding(name, Level.WARN, detail, way_out)


def fail(name: str, detail: str, way_out: str) -> Finding:
    """Return the finding of a thing that is broken."""
    return Finding(name, Level.FAIL, detail, way_out)


def unknown(name: str, detail: str, way_out: str) -> Finding:
    """Return the finding of a thing that could not be looked at."""
    return Finding(name, Level.UNKNOWN, detail, way_out)


def worst(findings: Iterable[Finding]) -> Level:
    """Return the worst level among the findings; OK when there are none."""
    return min((finding.level for finding in findings), key=_ORDER.index, default=Level.OK)


def exit_status(level: Level) -> int:
    """Return the exit status that tells `level` to a script."""
    return {Level.FAIL: FAILED, Level.UNKNOWN: UNKNOWN}.get(level, HEALTHY)
