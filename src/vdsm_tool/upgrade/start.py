# SPDX-License-Identifier: GPL-2.0-or-later
"""The part of an upgrade that the operator's own command does, from the old image.

It gets the images and vets them, puts all on record, starts vdsm-upgrade.service and follows it.
Until that start nothing of the host has changed but podman's store.
"""

import secrets
import signal
import time
from collections.abc import Callable
from typing import Final

from vdsm_tool.errors import ToolError
from vdsm_tool.host import Host
from vdsm_tool.state.units import SERVICES
from vdsm_tool.upgrade import (
    fetch,
    finish,
    history,
    host_image,
    images,
    journal,
    pins,
    services,
    tasks,
)
from vdsm_tool.upgrade.model import (
    Entry,
    Kind,
    Outcome,
    Pair,
    Pending,
    Phase,
    Step,
    Tell,
)
from vdsm_tool.upgrade.progress import Follower

TIMEOUT: Final = 600.0
"""Seconds that the swap may take from the start of the unit to KEPT."""
SHORTEST: Final = 10.0
LONGEST: Final = 1800.0
"""TimeoutStartSec= of vdsm-upgrade.service is longer."""
_PAUSE: Final = 0.2
"""Seconds between two looks at what the unit does."""
_GRACE: Final = 900.0
"""Seconds beyond the timeout after which nobody waits for the unit any more."""

Get = Callable[[], Pair]
"""Brings the new pair into podman's store."""


class Detached(ToolError):
    """The operator does not wait any more; the upgrade goes on."""


def upgrade(
    kind: Kind,
    source: list[str],
    get: Get,
    host: Host,
    tell: Tell,
    *,
    timeout: float,
    wait_tasks: float = 0.0,
) -> Entry:
    """Swap the running pair for the one that `get` brings; return how it ended. Storage tasks that
    run may take `wait_tasks` seconds to end before.

    Raises Busy, or another ToolError when the host is not fit or the images are not; then the
    old pair was never touched.
    """
    host_image.refuse(host)
    # A SIGTERM ends the command as Ctrl-C does, with its record closed.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with journal.locked(host.root):
        _clean(host, tell)
        old = serving(host, tell)
        pending = Pending(
            id=secrets.token_hex(8),
            kind=kind,
            source=source,
            started=time.time(),
            timeout=timeout,
            phase=Phase.FETCHING,
            old=old,
        )
        journal.begin(host.root, pending, tell)
        try:
            new = get()
            journal.passed(Step.FETCHED, tell)
            if new == old:
                journal.end(host.root, tell)
                return make_entry(kind, source, old, new, Outcome.UNCHANGED)
            tasks.settle(host, tell, wait_tasks)
            pending = journal.advance(host.root, pending, Phase.PREPARED, tell, new=new)
            finish.tag(old, tell)
            finish.tag(new, tell)
            journal.name_images(host.root, pending, tell)
            follower = Follower(host, tell)
            services.start_upgrade(host)
        except BaseException as error:
            _refuse(pending, error, host, tell)
            raise
        journal.passed(Step.STARTED, tell)
    return _follow(pending, follower, host)


def serving(host: Host, tell: Tell) -> Pair:
    """Return the pair that serves now. Raises ToolError unless it is the pinned one, whole."""
    found = services.running(host)
    missing = [name for name in SERVICES if name not in found]
    if missing:
        raise ToolError(
            f"{' and '.join(missing)} does not run: an upgrade swaps a pair that serves",
            "`vdsm-tool status` says what is wrong. `vdsm-tool pin` sets a pair without a test.",
        )
    ids = (found["vdsm.service"], found["supervdsm.service"])
    pinned = pins.current(host.root)
    if pinned is None:
        # From before the first pin: what runs is what a failure must bring back.
        return fetch.examine(list(ids), host, tell)
    if (pinned.vdsm, pinned.supervdsm) != ids:
        raise ToolError(
            f"Pinned is {pinned.version}, but other images run",
            "`systemctl restart supervdsm vdsm` runs what is pinned; see `vdsm-tool status`.",
        )
    return pinned


def make_entry(
    kind: Kind, source: list[str], old: Pair | None, new: Pair, outcome: Outcome
) -> Entry:
    """Return the end of something that needed no swap."""
    now = time.time()
    return Entry(
        id=secrets.token_hex(8),
        kind=kind,
        source=source,
        started=now,
        ended=now,
        outcome=outcome,
        phase=Phase.KEPT,
        old=old,
        new=new,
    )


def _clean(host: Host, tell: Tell) -> None:
    """Close the record of one whose command died before it started the unit. Raises Busy."""
    pending = journal.read(host.root)
    if pending is None:
        return
    if services.upgrading(host):
        raise journal.busy(host.root)
    if pending.phase not in (Phase.FETCHING, Phase.PREPARED) or (
        pending.new is not None and pins.is_current(host.root, pending.new)
    ):
        raise ToolError(
            f"{journal.describe(pending)} was not brought to an end: nothing was changed",
            "`vdsm-tool upgrade-undo` puts the old pair back.",
        )
    tell(f"{journal.describe(pending)} ended without a word; closing its record")
    pending = journal.update(host.root, pending, reason="The command was killed")
    finish.record(pending, Outcome.REFUSED, host, tell)


def _refuse(pending: Pending, error: BaseException, host: Host, tell: Tell) -> None:
    """Close the record of an upgrade that changed nothing."""
    match error:
        case ToolError():
            reason = error.sentence
        case KeyboardInterrupt():
            reason = "Interrupted by the operator"
        case _:
            reason = f"{type(error).__name__}: {error}"
    try:
        finish.record(
            journal.update(host.root, pending, reason=reason), Outcome.REFUSED, host, tell
        )
    except OSError as failure:
        # A full disk: the next command finds the record, and closes it.
        tell(f"This is not in the history: {failure}")


def _follow(pending: Pending, follower: Follower, host: Host) -> Entry:
    """Pass on what the unit tells until it has ended; return how."""
    deadline = time.monotonic() + pending.timeout + _GRACE
    try:
        # systemd has had its job since `systemctl start` returned.
        while services.upgrading(host):
            follower.poll()
            if time.monotonic() >= deadline:
                raise Detached(
                    f"{services.UPGRADE} does not end", f"`systemctl status {services.UPGRADE}`"
                )
            time.sleep(_PAUSE)
    except KeyboardInterrupt:
        raise Detached(
            f"The {pending.kind} goes on without you",
            f"`journalctl --follow --unit={services.UPGRADE}`; `systemctl stop "
            f"{services.UPGRADE}` would put the old pair back; `vdsm-tool history`.",
            status=130,
        ) from None
    follower.poll()
    entry = history.find(host.root, pending.id)
    if entry is None:
        raise ToolError(
            f"The {pending.kind} was not brought to an end",
            f"`journalctl --unit={services.UPGRADE} --lines=50`; `vdsm-tool upgrade-undo`.",
        )
    return entry


def previous(host: Host) -> Get:
    """Return what finds the pair that served before the pinned one."""

    def get() -> Pair:
        current = pins.current(host.root)
        pair = history.previous(host.root, current) if current else None
        if pair is None:
            raise ToolError(
                "There is no pair to go back to: the history has none before this one",
                "`vdsm-tool upgrade` takes images of any release.",
            )
        gone = [image for image in (pair.vdsm, pair.supervdsm) if not images.exists(image)]
        if gone:
            raise ToolError(
                f"The images of {pair.version} are gone: {', '.join(one[:12] for one in gone)}",
                "`vdsm-tool upgrade` takes its archive.",
            )
        return pair

    return get
