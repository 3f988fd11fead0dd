# SPDX-License-Identifier: GPL-2.0-or-later
"""`vdsm-tool rollback`: run the pair that served before."""

import argparse
from typing import TYPE_CHECKING

from vdsm_tool import output
from vdsm_tool.commands import upgrade
from vdsm_tool.host import this_host
from vdsm_tool.upgrade import start
from vdsm_tool.upgrade.model import Kind
from vdsm_tool.upgrade.progress import to_terminal

if TYPE_CHECKING:
    from vdsm_tool.commands import Subparsers

_EXAMPLES = """\
It is an upgrade to the pair that served before this one: tested, and put back when it fails. After
a rollback, another one goes forward again.

examples:
  vdsm-tool rollback
  vdsm-tool history      which pair that is

exit status: 0 that pair runs, 1 it does not; the reason is said
"""


def register(subparsers: "Subparsers") -> None:
    """Add the parser of `rollback`."""
    parser = subparsers.add_parser(
        "rollback",
        help="go back to the pair that served before",
        description="Go back to the pair that served before.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    upgrade.add_timeout(parser)
    output.add_arguments(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Swap the pair for the previous one; show how it ended."""
    host = this_host()
    entry = start.upgrade(
        Kind.ROLLBACK,
        [],
        start.previous(host),
        host,
        to_terminal,
        timeout=arguments.timeout,
        wait_tasks=arguments.wait_tasks,
    )
    return upgrade.show(entry, as_json=output.wants_json(arguments))
