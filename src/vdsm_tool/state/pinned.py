# SPDX-License-Identifier: GPL-2.0-or-later
"""The pinned pair and the upgrade under way, beside what runs."""

from pathlib import Path
from typing import Final

from msgspec import Struct

from vdsm_tool.errors import ToolError
from vdsm_tool.finding import Finding, fail, ok, warn
from vdsm_tool.state.containers import ContainerState
from vdsm_tool.upgrade import journal, pins
from vdsm_tool.upgrade.model import Pair, Pending

_NAME: Final = "pins"


class Pinned(Struct, frozen=True):
    """What is on disk, as far as it can be understood."""

    pair: Pair | None
    pending: Pending | None


def look(root: Path, states: list[ContainerState]) -> tuple[Pinned, list[Finding]]:
    """Return the pins of the host's tree `root`, and whether they and the containers agree."""
    findings = []
    pair = pending = None
    try:
        pair = pins.current(root)
        findings.append(judge(pair, states))
    except ToolError as error:
        findings.append(fail(_NAME, error.sentence, error.hint))
    try:
        pending = journal.read(root)
    except ToolError as error:
        findings.append(fail("upgrade", error.sentence, error.hint))
    if pending is not None:
        findings.append(
            warn(
                "upgrade",
                f"{journal.describe(pending)} is not at its end",
                "`systemctl status vdsm-upgrade.service`; if nothing runs there, `vdsm-tool "
                "upgrade-undo` puts the old pair back.",
            )
        )
    return Pinned(pair, pending), findings


def judge(pair: Pair | None, states: list[ContainerState]) -> Finding:
    """Return whether the containers run what is pinned."""
    if pair is None:
        return warn(
            _NAME,
            "nothing is pinned: the names :latest decide what runs",
            "`vdsm-tool pin localhost/vdsm:latest localhost/supervdsm:latest`.",
        )
    wanted = {"vdsm": pair.vdsm, "supervdsm": pair.supervdsm}
    others = [
        f"{state.name} runs {state.version or '?'} ({state.image_id[:12]})"
        for state in states
        if state.image_id != wanted.get(state.name, state.image_id)
    ]
    pinned = f"{pair.version} ({pair.supervdsm[:12]}, {pair.vdsm[:12]})"
    if others:
        return fail(
            _NAME,
            f"{', '.join(others)}; pinned is {pinned}",
            "`systemctl restart supervdsm vdsm` runs what is pinned, unless a drop-in of another "
            "name sets Image=: `systemctl cat vdsm supervdsm`.",
        )
    return ok(_NAME, pinned)
