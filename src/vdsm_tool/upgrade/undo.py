# SPDX-License-Identifier: GPL-2.0-or-later
"""The way back of an upgrade that ended early, from the old image.

It looks at what is there and does what is missing: the old pins in force, the old pair serving. So
it may itself be ended at any point and be started again; it never counts on how far it came.
"""

import time
from typing import Final

from vdsm_tool.errors import ToolError
from vdsm_tool.host import Host
from vdsm_tool.state import units
from vdsm_tool.upgrade import images, journal, pins, selftest, services
from vdsm_tool.upgrade.finish import finish, record
from vdsm_tool.upgrade.model import Entry, Outcome, Pair, Pending, Phase, Tell

_HANDOVER: Final = 60.0
"""Seconds until the lock must be free: systemd has ended the one who had it."""
_START: Final = 240.0
"""Seconds from the restart until both say READY; a crash or two are forgiven."""
_PATIENCE: Final = 60.0
"""Seconds until the old pair must pass the test."""


def undo(host: Host, tell: Tell, *, result: str = "", boot: bool = False) -> Entry | None:
    """Undo or finish the upgrade on record; return how it ended, None when there is none.

    `result` says how systemd saw the upgrade end, for the case that it could not say why. With
    `boot` nothing is started: that is about to happen, from the pins.

    Raises ToolError when it cannot be undone now; then it stays on record.
    """
    with journal.locked(host.root, wait=0 if boot else _HANDOVER):
        pending = journal.read(host.root)
        if pending is None:
            return None
        if boot and any(unit.running for unit in units.read_units(host.run, units.SERVICES)):
            raise ToolError(
                f"{journal.describe(pending)} is on record, and the services run: this is no boot",
                "`vdsm-tool upgrade-undo` puts the old pair back.",
            )
        if pending.phase is Phase.KEPT:
            if boot:
                services.reload(host)
            return finish(pending, host, tell)
        if not pending.reason:
            pending = journal.update(host.root, pending, reason=_reason(pending, result, boot=boot))
        tell(f"Undoing: {pending.reason}")
        return _undo(pending, host, tell, boot=boot)


def _reason(pending: Pending, result: str, *, boot: bool) -> str:
    after = f"after {pending.phase.name}"
    if boot:
        return f"The host went down {after}"
    if result.startswith("timeout"):
        return f"The upgrader took too long {after}, and systemd ended it"
    if result in ("", "success"):
        return f"The upgrader ended {after}"
    return f"The upgrader ended {after} ({result})"


def _undo(pending: Pending, host: Host, tell: Tell, *, boot: bool) -> Entry:
    if pending.new is None or _untouched(pending, host):
        return _close(pending, Outcome.REFUSED, host, tell)
    if not pins.is_current(host.root, pending.old):
        gone = _gone(pending.old, tell)
        if gone:
            return _stranded(pending, gone, host, tell)
        pins.switch(host.root, pending.old)
        tell(f"{pending.old.version} is pinned again")
    if boot:
        services.reload(host)
        return _close(pending, Outcome.ROLLED_BACK, host, tell)
    problems = _serve(pending, host, tell)
    if problems:
        reason = f"{pending.reason}; and the old pair is not well: {'; '.join(problems)}"
        pending = journal.update(host.root, pending, reason=reason)
        return _close(pending, Outcome.BROKEN, host, tell)
    return _close(pending, Outcome.ROLLED_BACK, host, tell)


def _gone(pair: Pair, tell: Tell) -> list[str]:
    """Return which images of `pair` podman has not."""
    try:
        return [image for image in (pair.vdsm, pair.supervdsm) if not images.exists(image)]
    except ToolError as error:
        # Most likely they are there: the pins must not wait for podman's API.
        tell(f"Nobody knows whether the images are there: {error.sentence}")
        return []


def _untouched(pending: Pending, host: Host) -> bool:
    """Return whether nothing runs or will run differently. Restarts come after SWITCHED."""
    if pending.phase not in (Phase.FETCHING, Phase.PREPARED):
        return False
    try:
        pinned = pins.current(host.root)
    except ToolError:
        return False
    # A host without pins stays one. With pins, a way back that was cut off may have left systemd
    # with the new ones.
    return pinned is None or (pinned == pending.old and services.in_force(host, pending.old))


def _serve(pending: Pending, host: Host, tell: Tell) -> list[str]:
    """Let the old pair serve; return what is wrong with it."""
    if services.stopping(host):
        raise ToolError(
            "This host is shutting down: the old pair is pinned, its next boot does the rest"
        )
    deadline = time.monotonic() + _START
    services.order(host)
    services.reload(host)
    since = services.states_of_all(host)
    if not services.runs(host, pending.old):
        tell("Restarting the services")
        services.restart(host)
    if pending.phase is not Phase.PREPARED:
        services.restart_beside(host)
    try:
        services.await_start(host, pending.old, since, deadline, tell, patient=True)
    except ToolError as error:
        problems = [error.sentence]
    else:
        problems = selftest.check(pending.old, pending.before, host, tell, _PATIENCE)
    return problems


def _stranded(pending: Pending, gone: list[str], host: Host, tell: Tell) -> Entry:
    """Give up: what is pinned stays."""
    names = " and ".join(image[:12] for image in gone)
    reason = (
        f"{pending.reason}; and it cannot be undone: podman has no image {names} of "
        f"{pending.old.version} any more. Load it, then `vdsm-tool pin` and restart both services"
    )
    pending = journal.update(host.root, pending, reason=reason)
    return _close(pending, Outcome.BROKEN, host, tell)


def _close(pending: Pending, outcome: Outcome, host: Host, tell: Tell) -> Entry:
    services.forget_order(host)
    pins.forget_links(host.root)
    return record(pending, outcome, host, tell)
