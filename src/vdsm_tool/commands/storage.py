# SPDX-License-Identifier: GPL-2.0-or-later
"""`vdsm-tool storage`: what the host's storage looks like. Changes nothing.

connections   what is mounted
domains       the storage domains and how each feels
volumes       the disks of a domain: chains as trees, sizes, legality
tasks         what is being done, and how it ended
"""

import argparse
from typing import TYPE_CHECKING

from vdsm_tool import output
from vdsm_tool.commands import add_action
from vdsm_tool.errors import FAILED, HEALTHY, ToolError
from vdsm_tool.finding import Level
from vdsm_tool.host import this_host
from vdsm_tool.state.vdsm import CallFailed
from vdsm_tool.storage import collect, text
from vdsm_tool.storage.ask import Vdsm

if TYPE_CHECKING:
    from vdsm_tool.commands import Subparsers

_EXAMPLES = """\
examples:
  vdsm-tool storage connections
  vdsm-tool storage domains --json | jq -r '.[] | select(.valid == false) | .uuid'
  vdsm-tool storage volumes 5b9a3f0e-2a7c-4f6e-9d1b-0c8e7a6b5d4c
  vdsm-tool storage tasks

exit status: 0 all is well, 1 something is not valid, illegal or failed
"""


def register(subparsers: "Subparsers") -> None:
    """Add the parsers of `storage`."""
    storage = subparsers.add_parser(
        "storage",
        help="show storage connections, domains, volumes and tasks",
        description="The host's storage, as vdsm sees it.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = storage.add_subparsers(title="actions", metavar="ACTION", required=True)
    add_action(actions, "connections", "show what is mounted", _EXAMPLES).set_defaults(
        run=run_connections
    )
    add_action(actions, "domains", "show the storage domains", _EXAMPLES).set_defaults(
        run=run_domains
    )
    volumes = add_action(actions, "volumes", "show the chains of a domain's disks", _EXAMPLES)
    volumes.add_argument("domain", metavar="DOMAIN", help="the domain's UUID")
    volumes.set_defaults(run=run_volumes)
    add_action(actions, "tasks", "show the storage tasks", _EXAMPLES).set_defaults(run=run_tasks)


def run_connections(arguments: argparse.Namespace) -> int:
    """Show the mounts."""
    host = this_host()
    found = collect.connections(host, collect.domains(Vdsm(host)))
    _show(arguments, found, text.connections(found))
    return HEALTHY


def run_domains(arguments: argparse.Namespace) -> int:
    """Show the domains; fail when one is not valid."""
    found = collect.domains(Vdsm(this_host()))
    _show(arguments, found, text.domains(found))
    return FAILED if any(each.level is Level.FAIL for each in found) else HEALTHY


def run_volumes(arguments: argparse.Namespace) -> int:
    """Show the volumes of a domain; fail when one is not legal."""
    try:
        found = collect.volumes(Vdsm(this_host()), arguments.domain)
    except CallFailed as error:
        raise ToolError(f"{arguments.domain}: {error}", "`vdsm-tool storage domains`.") from error
    _show(arguments, found, text.volumes(found))
    return FAILED if any(each.level is Level.FAIL for each in found) else HEALTHY


def run_tasks(arguments: argparse.Namespace) -> int:
    """Show the tasks; fail when one has failed."""
    found = collect.tasks(Vdsm(this_host()))
    _show(arguments, found, text.tasks(found))
    return FAILED if any(each.code for each in found) else HEALTHY


def _show(arguments: argparse.Namespace, found: object, lines: list[str]) -> None:
    if output.wants_json(arguments):
        output.print_json(found)
    else:
        print("\n".join(lines))
