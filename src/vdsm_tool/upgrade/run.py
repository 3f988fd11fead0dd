# SPDX-License-Identifier: GPL-2.0-or-later
"""The swap itself. Runs in vdsm-upgrade.service, from the new image.

It never undoes anything: whatever ends it early (an error, the time, SIGKILL, a power cut), the old
image's `upgrade-undo` finds `pending.json` and does that.
"""

import time
from contextlib import suppress
from typing import Final

from vdsm_contract import asked
from vdsm_tool.errors import ToolError
from vdsm_tool.host import Host
from vdsm_tool.upgrade import journal, pins, selftest, services, snapshot
from vdsm_tool.upgrade.finish import finish
from vdsm_tool.upgrade.limit import limited
from vdsm_tool.upgrade.model import Pair, Pending, Phase, Step, Tell

_HANDOVER: Final = 60.0
"""Seconds that the one who started this unit may keep the lock."""
_START: Final = 180.0
"""Seconds from the restart until both say READY; each unit has a shorter limit of its own."""
_PATIENCE: Final = 30.0
"""Seconds until the test must be passed."""


def run(host: Host, tell: Tell) -> None:
    """Do what was prepared. Raises ToolError when there is nothing or it fails; see `undo`."""
    with journal.locked(host.root, wait=_HANDOVER):
        pending = journal.read(host.root)
        if pending is None or pending.phase is not Phase.PREPARED or pending.new is None:
            raise ToolError(
                "No upgrade is prepared: nothing was changed", "`vdsm-tool upgrade` does all of it."
            )
        try:
            with limited(pending.timeout, f"The {pending.kind}"):
                pending = _swap(pending, pending.new, host, tell)
        except Exception as error:
            with suppress(OSError, ToolError):  # a full disk; the first error is the one to tell
                journal.blame(host.root, _sentence(error))
            raise
        finish(pending, host, tell)


def _swap(pending: Pending, new: Pair, host: Host, tell: Tell) -> Pending:
    """Run the new pair, and test it. Returns with phase KEPT."""
    root = host.root
    try:
        asked.begin(host.path(asked.PATH))
    except OSError as error:
        tell(f"What is unmounted or removed meanwhile counts as lost: {error}")
    before = snapshot.take(host)
    pending = journal.update(root, pending, before=before)
    journal.passed(Step.SEEN, tell)
    pins.prepare(root, pending.old)
    pins.prepare(root, new)
    journal.passed(Step.WRITTEN, tell)
    pins.switch(root, new)
    journal.passed(Step.PINNED, tell)
    services.order(host)
    journal.passed(Step.ORDERED, tell)
    services.reload(host)
    if not services.in_force(host, new):
        raise ToolError(
            "The units do not follow the pins",
            "The drop-ins 50-pin.conf are missing (`containers/install` makes them), or another "
            "drop-in sets Image=: `systemctl cat vdsm supervdsm`.",
        )
    pending = journal.advance(root, pending, Phase.SWITCHED, tell)
    since = services.states_of_all(host)
    services.restart(host)
    services.restart_beside(host)
    journal.passed(Step.RESTARTING, tell)
    services.await_start(host, new, since, time.monotonic() + _START, tell, patient=False)
    pending = journal.advance(root, pending, Phase.RESTARTED, tell)
    problems = selftest.check(new, before, host, tell, _PATIENCE)
    if problems:
        raise ToolError(f"The new pair failed its test: {'; '.join(problems)}")
    journal.passed(Step.TESTED, tell)
    return journal.advance(root, pending, Phase.KEPT, tell)


def _sentence(error: Exception) -> str:
    if isinstance(error, ToolError):
        return f"{error.sentence}. {error.hint}".strip() if error.hint else error.sentence
    return f"{type(error).__name__}: {error}"
