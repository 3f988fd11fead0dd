# SPDX-License-Identifier: GPL-2.0-or-later
"""How a result is shown: text for a person at a terminal, JSON for a program."""

import argparse
import os
import sys
from collections.abc import Iterable
from typing import Final, TextIO

import msgspec

from vdsm_tool.finding import Finding, Level

_COLOURS: Final = {Level.OK: "32", Level.WARN: "33", Level.FAIL: "31", Level.UNKNOWN: "35"}


_TERMINAL: Final = "VDSM_TOOL_TERMINAL"
"""Set to 1 by the wrapper on the host: the output is a pipe here, but ends on a terminal there."""


def on_terminal(stream: TextIO | None = None) -> bool:
    """Return whether a person reads `stream` (default: standard output)."""
    return os.environ.get(_TERMINAL) == "1" or (stream or sys.stdout).isatty()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give a command the options that choose its output."""
    group = parser.add_mutually_exclusive_group()
    group.add_argument(
        "--json",
        dest="as_json",
        action="store_true",
        default=None,
        help="print JSON (default when the output is not a terminal)",
    )
    group.add_argument(
        "--text",
        dest="as_json",
        action="store_false",
        help="print text for people (default on a terminal)",
    )


def wants_json(arguments: argparse.Namespace, stream: TextIO | None = None) -> bool:
    """Return whether the output is JSON: as asked for, else when `stream` is not a terminal."""
    asked: bool | None = arguments.as_json
    return not on_terminal(stream) if asked is None else asked


def print_json(value: object) -> None:
    """Print `value` (Structs, dicts, lists) as indented JSON."""
    text = msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
    sys.stdout.write(text + "\n")


def coloured(text: str, level: Level, stream: TextIO | None = None) -> str:
    """Return `text` in the colour of `level`: on a terminal, and unless NO_COLOR is set."""
    if os.environ.get("NO_COLOR") or not on_terminal(stream):
        return text
    return f"\033[{_COLOURS[level]}m{text}\033[0m"


def finding_lines(findings: Iterable[Finding]) -> list[str]:
    """Return the findings as lines: level, name and detail, and below them the way out."""
    findings = list(findings)
    width = max((len(finding.name) for finding in findings), default=0)
    lines = []
    for finding in findings:
        level = coloured(f"{finding.level:<7}", finding.level)
        lines.append(f"{level} {finding.name:<{width}}  {finding.detail}".rstrip())
        if finding.way_out:
            lines.append(f"        {'':<{width}}  -> {finding.way_out}")
    return lines
