# SPDX-License-Identifier: GPL-2.0-or-later
"""`vdsm-tool pin`: say which pair runs from the next start on, without a test."""

import argparse
from typing import TYPE_CHECKING

from vdsm_tool import output
from vdsm_tool.commands import upgrade
from vdsm_tool.errors import ToolError
from vdsm_tool.host import Host, this_host
from vdsm_tool.upgrade import fetch, finish, history, host_image, journal, pins, services, start
from vdsm_tool.upgrade.model import Entry, Kind, Outcome, Pair, Tell
from vdsm_tool.upgrade.progress import to_terminal

if TYPE_CHECKING:
    from vdsm_tool.commands import Subparsers

_EXAMPLES = """\
Nothing is restarted and nothing is tested: this is for an installation, and for a host whose pair
does not serve. Everybody else wants `vdsm-tool upgrade`.

examples:
  vdsm-tool pin localhost/vdsm:latest localhost/supervdsm:latest
  systemctl restart vdsm supervdsm
"""


def register(subparsers: "Subparsers") -> None:
    """Add the parser of `pin`."""
    parser = subparsers.add_parser(
        "pin",
        help="say which pair runs from the next start on",
        description="Pin a pair of images that podman has: both, in one step.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("vdsm", metavar="VDSM", help="vdsm's image: a name or an id")
    parser.add_argument(
        "supervdsm", metavar="SUPERVDSM", help="supervdsm's image of the same release"
    )
    output.add_arguments(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Pin the pair; show what was done."""
    host = this_host()
    entry = pin([arguments.vdsm, arguments.supervdsm], host, to_terminal)
    return upgrade.show(entry, as_json=output.wants_json(arguments))


def pin(source: list[str], host: Host, tell: Tell) -> Entry:
    """Vet and pin two images. Raises ToolError when they are no pair, Busy during an upgrade."""
    host_image.refuse(host)
    with journal.locked(host.root):
        if journal.read(host.root) is not None:
            raise journal.busy(host.root)
        new = fetch.examine(source, host, tell)
        old = _pinned(host)
        if new == old:
            return start.make_entry(Kind.INSTALL, source, old, new, Outcome.UNCHANGED)
        finish.tag(new, tell)
        pins.switch(host.root, new)
        services.reload(host)
        entry = start.make_entry(Kind.INSTALL, source, old, new, Outcome.KEPT)
        history.add(host.root, entry)
        return entry


def _pinned(host: Host) -> Pair | None:
    """Return what was pinned; damaged pins are what this command repairs."""
    try:
        return pins.current(host.root)
    except ToolError:
        return None
