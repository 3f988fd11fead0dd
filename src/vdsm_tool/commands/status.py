# SPDX-License-Identifier: GPL-2.0-or-later
"""`vdsm-tool status`: how the pair is, and what to do about what is not well."""

import argparse
import datetime
from typing import TYPE_CHECKING

from msgspec import Struct

from vdsm_contract.paths import PKI_DIR
from vdsm_contract.types import HealthReport
from vdsm_tool import output
from vdsm_tool.errors import ToolError
from vdsm_tool.finding import Finding, Level, exit_status, fail, warn, worst
from vdsm_tool.host import Host, this_host
from vdsm_tool.pki.files import PkiFiles
from vdsm_tool.state import certificates, containers, pinned, supervdsm, units, vdsm
from vdsm_tool.state.containers import ContainerState
from vdsm_tool.state.units import Unit
from vdsm_tool.state.vdsm import Answer
from vdsm_tool.upgrade.model import Pair, Pending

if TYPE_CHECKING:
    from vdsm_tool.commands import Subparsers

_EXAMPLES = """\
examples:
  vdsm-tool status
  vdsm-tool status --json | jq -r '.findings[] | select(.level == "fail") | .wayOut'

exit status: 0 well, 1 something is broken, 2 it cannot be told
"""


class Report(Struct, frozen=True, rename="camel"):
    """Everything that `status` found. `verdict` is the worst of the findings."""

    verdict: Level
    findings: list[Finding]
    units: list[Unit]
    containers: list[ContainerState]
    pinned: Pair | None
    upgrade: Pending | None
    """The one under way, or cut off."""
    supervdsm: HealthReport | None
    vdsm: Answer | None


def register(subparsers: "Subparsers") -> None:
    """Add the parser of `status`."""
    parser = subparsers.add_parser(
        "status",
        help="show how vdsm and supervdsm are",
        description="Show how vdsm and supervdsm are: units, images, answers, certificates.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    output.add_arguments(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Collect the report, show it, and return the exit status."""
    report = collect(this_host())
    if output.wants_json(arguments):
        output.print_json(report)
    else:
        print("\n".join(text_lines(report)))
    return exit_status(report.verdict)


def collect(host: Host, files: PkiFiles | None = None) -> Report:
    """Look at everything once. Raises ToolError when systemd cannot be asked."""
    files = files or PkiFiles(PKI_DIR)
    found = units.read_units(host.run)
    findings = [units.judge(unit) for unit in found]
    try:
        states = containers.read_containers()
        findings.append(containers.judge(states))
    except ToolError as error:
        # The pair works without podman's API; only this command does not see its images.
        states = []
        findings.append(warn("contract", error.sentence, error.hint))
    pins, judged = pinned.look(host.root, states)
    findings += judged
    health, finding = supervdsm.ask()
    findings.append(finding)
    answer: Answer | None = None
    try:
        tls = vdsm.uses_tls(host)
    except ToolError as error:
        findings.append(fail("vdsm", error.sentence, error.hint))
    else:
        answer, finding = vdsm.ask(files=files, tls=tls)
        findings.append(finding)
        if tls:
            now = datetime.datetime.now(datetime.UTC)
            findings.append(certificates.judge(files, now=now))
    return Report(worst(findings), findings, found, states, pins.pair, pins.pending, health, answer)


def text_lines(report: Report) -> list[str]:
    """Return the report as lines for a person."""
    return [
        *(_unit_line(unit) for unit in report.units),
        *(_container_line(state) for state in report.containers),
        "",
        *output.finding_lines(report.findings),
    ]


def _unit_line(unit: Unit) -> str:
    line = f"{unit.name:<18} {unit.active}/{unit.sub}"
    if unit.active_for is not None:
        line += f" for {duration(unit.active_for)}"
    if unit.name.endswith(".service"):
        line += f", pid {unit.main_pid}, restarts {unit.restarts}"
    if unit.listen:
        line += f", listens on {', '.join(unit.listen)}"
    return line


def _container_line(state: ContainerState) -> str:
    return (
        f"{state.name:<18} {state.status}, {state.image} {state.image_id[:12]}, "
        f"version {state.version or '?'}, contract {state.contract or '?'}"
    )


def duration(seconds: float) -> str:
    """Return a length of time as people say it: its two largest units."""
    whole = int(seconds)
    parts = [
        (whole // 86400, "d"),
        (whole // 3600 % 24, "h"),
        (whole // 60 % 60, "min"),
        (whole % 60, "s"),
    ]
    first = next((i for i, (number, _) in enumerate(parts) if number), len(parts) - 1)
    return " ".join(
        f"{number} {unit}" for number, unit in parts[first : first + 2] if number or first == 3
    )
