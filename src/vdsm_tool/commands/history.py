# SPDX-License-Identifier: GPL-2.0-or-later
"""`vdsm-tool history`: which pair ran when, and why one was put back."""

import argparse
import sys
import time
from typing import TYPE_CHECKING

from msgspec import Struct

from vdsm_tool import output
from vdsm_tool.errors import HEALTHY
from vdsm_tool.host import Host, this_host
from vdsm_tool.upgrade import history, images, journal, pins
from vdsm_tool.upgrade.model import Entry, Pair

if TYPE_CHECKING:
    from vdsm_tool.commands import Subparsers

_EXAMPLES = """\
examples:
  vdsm-tool history
  vdsm-tool history --json | jq -r '.entries[] | select(.outcome != "kept") | .reason'
  vdsm-tool history --prune     remove the images of all pairs but the pinned one and the one before
"""


class Report(Struct, frozen=True, rename="camel"):
    """The history; `pinned` is the pair that is to run, `previous` the one of `rollback`."""

    pinned: Pair | None
    previous: Pair | None
    entries: list[Entry]
    pruned: list[str]
    """Names that were taken from images now; an image without a name is gone."""


def register(subparsers: "Subparsers") -> None:
    """Add the parser of `history`."""
    parser = subparsers.add_parser(
        "history",
        help="show which pair ran when, and remove old images",
        description="Show which pair ran when, and why one was put back.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--prune",
        action="store_true",
        help="remove the images of pairs that are neither pinned nor the one of `rollback`",
    )
    output.add_arguments(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Show the history."""
    host = this_host()
    found = history.read(host.root)
    for complaint in found.complaints:
        print(f"vdsm-tool: {complaint}", file=sys.stderr)
    current = pins.current(host.root)
    before = history.previous(host.root, current) if current else None
    pruned = prune(host, [pair for pair in (current, before) if pair]) if arguments.prune else []
    report = Report(current, before, found.entries, pruned)
    if output.wants_json(arguments):
        output.print_json(report)
    else:
        print("\n".join(lines(report)))
    return HEALTHY


def prune(host: Host, keep: list[Pair]) -> list[str]:
    """Remove the images of other pairs; return their names. Raises Busy during an upgrade."""
    with journal.locked(host.root):
        if journal.read(host.root) is not None:
            raise journal.busy(host.root)
        return images.prune(keep, host)


def lines(report: Report) -> list[str]:
    """Return the report as lines for a person, the newest last."""
    found = [line for entry in report.entries for line in _entry(entry)]
    found += [f"removed {name}" for name in report.pruned]
    pinned = report.pinned
    found.append(f"pinned: {pinned.name}" if pinned else "pinned: nothing")
    if report.previous:
        found.append(f"`vdsm-tool rollback` goes to: {report.previous.name}")
    return found


def _entry(entry: Entry) -> list[str]:
    at = time.strftime("%F %T", time.localtime(entry.started))
    old = entry.old.version if entry.old else "none"
    new = entry.new.version if entry.new else "?"
    took = max(0.0, entry.ended - entry.started)
    found = [f"{at}  {entry.kind:<8} {old} -> {new}  {entry.outcome} after {took:.0f} s"]
    if entry.reason:
        found.append(f"{'':21}{entry.reason}")
    return found
