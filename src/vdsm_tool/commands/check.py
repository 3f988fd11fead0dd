# SPDX-License-Identifier: GPL-2.0-or-later
"""`vdsm-tool check`: whether this host is fit for the pair, each finding with its way out."""

import argparse
from collections.abc import Collection
from typing import TYPE_CHECKING

from msgspec import Struct

from vdsm_tool import output
from vdsm_tool.errors import FAILED, HEALTHY, UNKNOWN, ToolError
from vdsm_tool.finding import Finding, Level, unknown, worst
from vdsm_tool.fitness import CHECKS
from vdsm_tool.host import Host, this_host

if TYPE_CHECKING:
    from vdsm_tool.commands import Subparsers

_EXAMPLES = """\
examples:
  vdsm-tool check
  vdsm-tool check --ignore kvm --ignore clock
  vdsm-tool check --json | jq '.findings[] | select(.level != "ok")'

exit status: 0 fit (there may be warnings), 1 at least one check fails
"""


class Report(Struct, frozen=True, rename="camel"):
    """All findings. `verdict` is the worst of them, without those that are to be ignored."""

    verdict: Level
    findings: list[Finding]


def register(subparsers: "Subparsers") -> None:
    """Add the parser of `check`."""
    parser = subparsers.add_parser(
        "check",
        help="tell whether this host is fit for vdsm",
        description="Tell whether this host is fit for vdsm. Nothing is changed.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--ignore",
        action="append",
        default=[],
        metavar="NAME",
        help="a finding that is shown and does not count for the exit status; may be repeated",
    )
    output.add_arguments(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Look at the host, show the findings, and return the exit status."""
    report = collect(this_host(), ignored=arguments.ignore)
    unknown_names = set(arguments.ignore) - {finding.name for finding in report.findings}
    if unknown_names:
        raise ToolError(
            f"No finding is called {', '.join(sorted(unknown_names))}",
            "`vdsm-tool check` shows the names.",
            status=UNKNOWN,
        )
    if output.wants_json(arguments):
        output.print_json(report)
    else:
        print("\n".join(output.finding_lines(report.findings)))
    return FAILED if report.verdict is Level.FAIL else HEALTHY


def collect(host: Host, ignored: Collection[str] = ()) -> Report:
    """Run every check on `host`; one that cannot read what it needs does not stop the others."""
    findings = []
    for check in CHECKS:
        try:
            findings.append(check(host))
        except OSError as error:
            name = check.__name__.replace("_", " ")
            detail = f"{error.filename or name}: {error.strerror}"
            findings.append(unknown(name, detail, "Run vdsm-tool as root."))
    return Report(worst(one for one in findings if one.name not in ignored), findings)
