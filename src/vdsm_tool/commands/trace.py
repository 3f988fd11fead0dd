# SPDX-License-Identifier: GPL-2.0-or-later
"""`vdsm-tool trace`: what one request did, out of the journals of vdsm and supervdsm."""

import argparse
from typing import TYPE_CHECKING

from vdsm_contract import flow
from vdsm_tool import output
from vdsm_tool.errors import FAILED, HEALTHY, ToolError
from vdsm_tool.host import this_host
from vdsm_tool.trace import journal, timeline

if TYPE_CHECKING:
    from vdsm_tool.commands import Subparsers

_EXAMPLES = """\
examples:
  vdsm-tool trace 5b9a3f0e                  the engine shows this id as "Correlation Id"
  vdsm-tool trace 5b9a3f0e --since yesterday
  vdsm-client --flow-id test1 Host setupNetworks … ; vdsm-tool trace test1
  vdsm-tool trace 5b9a3f0e --json | jq -r '.events[] | select(.duration > 1) | .what'

Columns: seconds since the first event, how long it took, who did it, what, and how it ended.

exit status: 0 found, 1 no such flow, 2 the journal cannot be read
"""


def register(subparsers: "Subparsers") -> None:
    """Add the parser of `trace`."""
    parser = subparsers.add_parser(
        "trace",
        help="show what one request did, as a timeline",
        description="Show one flow, from the client's request through vdsm and supervdsm to what"
        " the kernel was asked for, as one timeline out of the journal.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("flow", metavar="FLOW_ID", type=_flow_id, help="the flow (correlation) id")
    parser.add_argument(
        "--since",
        default="-24h",
        metavar="TIME",
        help="how far to look back, as journalctl(1) takes it (default: %(default)s)",
    )
    output.add_arguments(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Show the flow; fail when the journal has nothing of it."""
    host = this_host()
    entries = journal.read(host, arguments.flow, arguments.since)
    if not entries:
        oldest = journal.oldest(host)
        reach = f"The journal goes back to {oldest:%F %T}" if oldest else "The journal has no line"
        raise ToolError(
            f"Nothing of flow {flow.told(arguments.flow)} since {arguments.since}",
            f"{reach}; look further back with --since. Which flows there were:"
            " `journalctl -u vdsm --grep='call method'`.",
            status=FAILED,
        )
    found = timeline.timeline(arguments.flow, entries)
    if output.wants_json(arguments):
        output.print_json(found)
    else:
        print("\n".join(timeline.text(found)))
    return HEALTHY


def _flow_id(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError("a flow id is not empty")
    return text
