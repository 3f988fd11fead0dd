# SPDX-License-Identifier: GPL-2.0-or-later
"""`vdsm-tool net`: the host's networks.

show      what they are, as a tree
plan      what a change would do, and do nothing
restore   bring back the persistent configuration, as a boot does
"""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from vdsm_contract.paths import STATE_DIR, SUPERVDSM_SOCKET
from vdsm_contract.types import NetworkPlan, RestoreReport
from vdsm_tool import output
from vdsm_tool.commands import add_action
from vdsm_tool.errors import FAILED, HEALTHY
from vdsm_tool.host import this_host
from vdsm_tool.net import ask, request, stored, text, tree

if TYPE_CHECKING:
    from vdsm_tool.commands import Subparsers

_EXAMPLES = """\
examples:
  vdsm-tool net show
  vdsm-tool net show --json | jq -r '.networks[].name'
  vdsm-tool net plan change.json
  echo '{"networks": {"red": {"nic": "eth1", "vlan": 100}}}' | vdsm-tool net plan -
  vdsm-tool net restore --force

exit status: 0 done, 1 refused or not all restored, 2 it cannot be told
"""


class Shown(Struct, frozen=True, rename="camel"):
    """Everything that `net show` knows."""

    dirty: bool
    """Whether a boot would change the networks."""
    networks: list[tree.NetworkTree]
    missing: list[str]
    """Networks that shall run and have no device."""
    others: list[tree.Device]
    """Devices of no network."""
    differences: list[stored.Difference]
    nameservers: list[str]


def register(subparsers: "Subparsers") -> None:
    """Add the parsers of `net`."""
    net = subparsers.add_parser(
        "net",
        help="show the host's networks, plan a change, restore them",
        description="The host's networks.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = net.add_subparsers(title="actions", metavar="ACTION", required=True)
    show = _action(actions, "show", "show networks as a tree down to the NICs")
    show.add_argument(
        "--state-dir", type=Path, default=STATE_DIR, help="oVirt's directory (default: %(default)s)"
    )
    show.set_defaults(run=run_show)
    plan = _action(actions, "plan", "tell what a change would do, and do nothing")
    plan.add_argument(
        "file",
        metavar="FILE",
        help="JSON with networks, bondings and options as Host.setupNetworks takes them; "
        "- for standard input",
    )
    plan.set_defaults(run=run_plan)
    restore = _action(actions, "restore", "bring back the persistent configuration")
    restore.add_argument(
        "--force", action="store_true", help="also when this boot has restored it already"
    )
    restore.set_defaults(run=run_restore)


def _action(actions: "Subparsers", name: str, description: str) -> argparse.ArgumentParser:
    parser = add_action(actions, name, description, _EXAMPLES)
    parser.add_argument(
        "--svdsm-socket",
        type=Path,
        default=SUPERVDSM_SOCKET,
        help="supervdsm's socket (default: %(default)s)",
    )
    return parser


def run_show(arguments: argparse.Namespace) -> int:
    """Show the networks."""
    with ask.network(arguments.svdsm_socket) as network:
        caps, stats = network.network_caps(), network.network_stats()
    forest = tree.forest(caps, stats)
    differences = stored.differences(arguments.state_dir)
    names = {one.name for one in forest.networks}
    missing = [n for n in stored.running_networks(arguments.state_dir) if n not in names]
    if output.wants_json(arguments):
        output.print_json(
            Shown(
                dirty=bool(differences),
                networks=forest.networks,
                missing=missing,
                others=forest.others,
                differences=differences,
                nameservers=caps.nameservers,
            )
        )
    else:
        print("\n".join(text.lines(forest, differences, missing, caps.nameservers)))
    return HEALTHY


def run_plan(arguments: argparse.Namespace) -> int:
    """Print the operations of a change."""
    wanted = request.read(arguments.file, this_host())
    with ask.network(arguments.svdsm_socket) as network:
        plan = network.plan_networks(wanted.networks, wanted.bondings, wanted.options)
    if output.wants_json(arguments):
        output.print_json(plan)
    else:
        print("\n".join(plan_lines(plan)))
    return HEALTHY


def plan_lines(plan: NetworkPlan) -> list[str]:
    """Return the plan as lines for a person: one for each operation."""
    return plan.operations or ["nothing to do: the network is as asked"]


def run_restore(arguments: argparse.Namespace) -> int:
    """Restore the persistent configuration."""
    if output.on_terminal():
        print("restoring; this may take minutes", file=sys.stderr)
    with ask.network(arguments.svdsm_socket) as network:
        report = network.restore_networks(arguments.force)
    if output.wants_json(arguments):
        output.print_json(report)
    else:
        print("\n".join(restore_lines(report)))
    return FAILED if report.dropped else HEALTHY


def restore_lines(report: RestoreReport) -> list[str]:
    """Return the report as lines for a person."""
    if report.skipped:
        return ["this boot has restored its networks already; --force does it again"]
    missing = {one.bond: one.missing for one in report.reduced}
    lines = []
    for name in report.restored:
        lacking = missing.get(name)
        lines.append(f"restored {name}" + (f" without {', '.join(lacking)}" if lacking else ""))
    lines += [f"dropped {name}: {reason}" for name, reason in sorted(report.dropped.items())]
    return lines or ["there is nothing to restore"]
