# SPDX-License-Identifier: GPL-2.0-or-later
"""`vdsm-tool upgrade`: run another release of the pair, or stay with the one that serves."""

import argparse
import functools
from typing import TYPE_CHECKING

from vdsm_tool import output
from vdsm_tool.errors import FAILED, HEALTHY
from vdsm_tool.host import Host, this_host
from vdsm_tool.upgrade import fetch, host_image, journal, start, tasks
from vdsm_tool.upgrade.model import Entry, Kind, Outcome, Pair, Tell
from vdsm_tool.upgrade.progress import to_terminal

if TYPE_CHECKING:
    from vdsm_tool.commands import Subparsers

_EXAMPLES = """\
Both images are swapped, or neither: the new pair is started and tested (it must say READY, answer
through TLS, know its networks; networks and mounts must be as before), else the old pair is put
back. Clients of port 54321 wait meanwhile, or reconnect. Networks, mounts and leases stay. The old
images stay until `vdsm-tool history --prune`.

examples:
  vdsm-tool upgrade vdsm-1.4.tar                what `containers/archive` made, or a mirror of it
  vdsm-tool upgrade registry.example.com/vdsm:1.4 registry.example.com/supervdsm:1.4
  vdsm-tool upgrade --dry-run vdsm-1.4.tar      is it whole, signed, and fit for this host?
  vdsm-tool upgrade vdsm-1.4.tar | jq -r .outcome
  vdsm-tool rollback                            back to the pair of before
  vdsm-tool history                             what ran when, and why it was put back

exit status: 0 the new pair runs (or did already), 1 it does not; the reason is said
"""


def register(subparsers: "Subparsers") -> None:
    """Add the parser of `upgrade`."""
    parser = subparsers.add_parser(
        "upgrade",
        help="swap both images for those of another release",
        description="Swap both images for those of another release.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "source",
        nargs="+",
        metavar="SOURCE",
        help="an archive of both images, or two image references; pulled unless podman has them",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="tell whether it would be tried; change nothing"
    )
    add_timeout(parser)
    output.add_arguments(parser)
    parser.set_defaults(run=run)


def add_timeout(parser: argparse.ArgumentParser) -> None:
    """Give a command the limit of a swap, and how long it may wait before."""
    parser.add_argument(
        "--timeout",
        type=_seconds,
        default=start.TIMEOUT,
        metavar="SECONDS",
        help="put the old pair back when the new one is not kept by then (10 to 1800; default: "
        "%(default)g); fetching does not count",
    )
    parser.add_argument(
        "--wait-tasks",
        type=_waiting_seconds,
        default=0.0,
        metavar="SECONDS",
        help="let storage tasks and jobs that run end before the swap, for so long at most (0 to "
        f"{tasks.LONGEST:g}; default: %(default)g)",
    )


def _seconds(text: str) -> float:
    return _between(text, start.SHORTEST, start.LONGEST)


def _waiting_seconds(text: str) -> float:
    return _between(text, 0.0, tasks.LONGEST)


def _between(text: str, least: float, most: float) -> float:
    value = float(text)
    if not least <= value <= most:
        raise argparse.ArgumentTypeError(f"{text} is not between {least:g} and {most:g}")
    return value


def run(arguments: argparse.Namespace) -> int:
    """Upgrade, or tell whether it would be tried; show how it ended."""
    host, source = this_host(), list(arguments.source)
    if arguments.dry_run:
        entry = dry_run(source, host, to_terminal)
    else:
        get = functools.partial(fetch.fetch, source, host, to_terminal)
        entry = start.upgrade(
            Kind.UPGRADE,
            source,
            get,
            host,
            to_terminal,
            timeout=arguments.timeout,
            wait_tasks=arguments.wait_tasks,
        )
    return show(entry, as_json=output.wants_json(arguments))


def dry_run(source: list[str], host: Host, tell: Tell) -> Entry:
    """Do all but changing. Raises ToolError when the upgrade would not be tried."""
    host_image.refuse(host)
    if journal.read(host.root) is not None:
        raise journal.busy(host.root)
    old = start.serving(host, tell)
    new = fetch.examine(source, host, tell)
    return start.make_entry(
        Kind.UPGRADE,
        source,
        old,
        new,
        Outcome.UNCHANGED if new == old else Outcome.DRY_RUN,
    )


def show(entry: Entry, *, as_json: bool) -> int:
    """Print how it ended; return the exit status."""
    if as_json:
        output.print_json(entry)
    else:
        print("\n".join(lines(entry)))
    good = (Outcome.KEPT, Outcome.UNCHANGED, Outcome.DRY_RUN)
    return HEALTHY if entry.outcome in good else FAILED


def lines(entry: Entry) -> list[str]:
    """Return how it ended as lines for a person."""
    old, new = _name(entry.old), _name(entry.new)
    match entry.outcome:
        case Outcome.KEPT:
            said = f"{new} runs, after {old}; {max(0.0, entry.ended - entry.started):.0f} s"
        case Outcome.UNCHANGED:
            said = f"{old} runs already: nothing was changed"
        case Outcome.DRY_RUN:
            said = f"{new} would be tried in the place of {old}: nothing was changed"
        case Outcome.ROLLED_BACK:
            said = f"{old} serves again, {new} was put back: {entry.reason}"
        case Outcome.REFUSED:
            said = f"Nothing was changed, {old} serves: {entry.reason}"
        case Outcome.BROKEN:
            said = f"BROKEN: {entry.reason}"
    return [said]


def _name(pair: Pair | None) -> str:
    return f"{pair.version} ({pair.supervdsm[:12]}, {pair.vdsm[:12]})" if pair else "no pair"
