# SPDX-License-Identifier: GPL-2.0-or-later
"""`vdsm-tool config`: the settings in force, and where each of them comes from."""

import argparse
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from msgspec import Struct

from vdsm_contract import config
from vdsm_contract.config_files import Entry, shown
from vdsm_contract.paths import KVM_GID, VDSM_UID
from vdsm_tool import output
from vdsm_tool.errors import FAILED, HEALTHY, ToolError
from vdsm_tool.host import this_host

if TYPE_CHECKING:
    from vdsm_tool.commands import Subparsers

_EXAMPLES = """\
examples:
  vdsm-tool config
  vdsm-tool config --json | jq -r '.settings[] | select(.origin != null) | .key'
  vdsm-tool config --check && systemctl restart vdsm

exit status: 0 the files are right, 1 vdsm would not start with them
"""


class Origin(Struct, frozen=True):
    """A line of a file."""

    file: str
    line: int


class Shown(Struct, frozen=True):
    """A setting: what holds, what holds without any file, and who said so (null: nobody)."""

    section: str
    key: str
    value: str
    default: str
    meaning: str
    origin: Origin | None


class Ignored(Struct, frozen=True):
    """A line with a key of oVirt's that has no effect here."""

    section: str
    key: str
    value: str
    origin: Origin


class Report(Struct, frozen=True, rename="camel"):
    """The effective configuration; `files` are in the order in which they were read."""

    files: list[str]
    settings: list[Shown]
    without_effect: list[Ignored]


def register(subparsers: "Subparsers") -> None:
    """Add the parser of `config`."""
    parser = subparsers.add_parser(
        "config",
        help="show the settings of vdsm.conf and where they come from",
        description=(
            "Show the settings in force and the file and line of each, as vdsm would take them if "
            "it started now."
        ),
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--check", action="store_true", help="only tell whether the files are right"
    )
    output.add_arguments(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Read the files as vdsm does, and show what they say."""
    host = this_host()
    try:
        with _as_vdsm():
            loaded = config.load(root=host.root)
    except config.ConfigError as error:
        if arguments.check:
            # The lines that vdsm would leave in the journal.
            print("\n".join(f"vdsm: {problem}" for problem in error.problems), flush=True)
            return FAILED
        raise ToolError("\n".join(error.problems), "Correct it; vdsm does not start so.") from None
    if arguments.check:
        return HEALTHY
    report = collect(loaded)
    if output.wants_json(arguments):
        output.print_json(report)
    else:
        print("\n".join(text_lines(report)))
    return HEALTHY


@contextmanager
def _as_vdsm() -> Iterator[None]:
    """Read with vdsm's rights: a file that only root may read is one that vdsm cannot use."""
    if os.geteuid() != 0:
        yield
        return
    groups, gid = os.getgroups(), os.getegid()
    os.setgroups([])
    os.setegid(KVM_GID)
    os.seteuid(VDSM_UID)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(gid)
        os.setgroups(groups)


def collect(loaded: config.Loaded) -> Report:
    """Return what is shown of `loaded`."""
    settings = []
    for one in config.settings():
        entry = loaded.origins.get(one.key)
        value = one.default if entry is None else entry.value
        origin = _origin(entry) if entry else None
        settings.append(Shown(one.section, one.key, value, one.default, one.meaning, origin))
    ignored = [
        Ignored(entry.section, entry.key, entry.value, _origin(entry))
        for entry in loaded.without_effect
    ]
    return Report([str(file) for file in loaded.files], settings, ignored)


def _origin(entry: Entry) -> Origin:
    return Origin(str(entry.file), entry.line)


def text_lines(report: Report) -> list[str]:
    """Return the report as lines for a person."""
    rows = [(one, f"[{one.section}] {one.key}") for one in report.settings]
    width = max(len(name) for _, name in rows)
    values = max(len(shown(one.value)) for one, _ in rows)
    lines = []
    for one, name in rows:
        origin = f"{one.origin.file}:{one.origin.line}" if one.origin else "default"
        lines.append(f"{name:<{width}}  {shown(one.value):<{values}}  {origin}")
    if report.without_effect:
        lines += ["", "without effect here:"]
    for ignored in report.without_effect:
        place = f"{ignored.origin.file}:{ignored.origin.line}"
        name = f"[{shown(ignored.section)}] {shown(ignored.key)}"
        lines.append(f"{name:<{width}}  {shown(ignored.value):<{values}}  {place}")
    return lines
