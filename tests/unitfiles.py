# SPDX-License-Identifier: GPL-2.0-or-later
"""Reads systemd and Quadlet unit files as the tests need them: with repeated keys and comments."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

PROJECT: Final = Path(__file__).resolve().parent.parent
QUADLET: Final = PROJECT / "quadlet"

EXPECTATION: Final = "#>"
"""Begins a comment that says what the next line becomes on podman's command line."""


@dataclass(frozen=True)
class Line:
    """One assignment of a unit file."""

    section: str
    key: str
    value: str
    explained: bool
    """A comment stands above it, or above the lines that it directly follows."""


@dataclass(frozen=True)
class UnitFile:
    name: str
    lines: tuple[Line, ...]
    expectations: tuple[str, ...]

    def values(self, section: str, key: str) -> list[str]:
        """Return the values of a key in the order of the file."""
        return [line.value for line in self.lines if (line.section, line.key) == (section, key)]

    def value(self, section: str, key: str) -> str:
        """Return the value of a key that must be there exactly once."""
        (value,) = self.values(section, key)
        return value

    def words(self, section: str, key: str) -> list[str]:
        """Return the words of all values of a key."""
        return [word for value in self.values(section, key) for word in value.split()]


def read_unit(name: str) -> UnitFile:
    """Read quadlet/`name`."""
    section = ""
    explained = False
    lines: list[Line] = []
    expectations: list[str] = []
    for text in (QUADLET / name).read_text().splitlines():
        if not text.strip():
            explained = False
        elif text.startswith("#"):
            explained = True
            if text.startswith(EXPECTATION):
                expectations.append(text.removeprefix(EXPECTATION).strip())
        elif text.startswith("["):
            section = text.strip("[]")
            explained = False
        else:
            key, _, value = text.partition("=")
            lines.append(Line(section, key, value, explained))
    return UnitFile(name, tuple(lines), tuple(expectations))


def seconds(span: str) -> float:
    """Return a time span of systemd.time(7) in seconds; the units that the unit files use."""
    for unit, factor in (("ms", 0.001), ("min", 60.0), ("s", 1.0), ("", 1.0)):
        if span.endswith(unit):
            return float(span.removesuffix(unit)) * factor
    raise AssertionError("unreachable: every string ends with the empty one")
