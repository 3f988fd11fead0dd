# SPDX-License-Identifier: GPL-2.0-or-later
"""The end of an upgrade whose new pair is KEPT: only tidying up, and it can be done once more."""

import time
from contextlib import suppress

from vdsm_contract import asked
from vdsm_tool.errors import ToolError
from vdsm_tool.host import Host
from vdsm_tool.upgrade import history, images, journal, pins, services
from vdsm_tool.upgrade.model import Entry, Outcome, Pair, Pending, Step, Tell


def finish(pending: Pending, host: Host, tell: Tell) -> Entry:
    """Name the images, record the history, take the upgrade off the record."""
    tag(pending.old, tell)
    if pending.new is not None:
        tag(pending.new, tell)
    journal.passed(Step.TAGGED, tell)
    services.forget_order(host)
    pins.forget_links(host.root)
    journal.passed(Step.CLEARED, tell)
    return record(pending, Outcome.KEPT, host, tell)


def tag(pair: Pair, tell: Tell) -> None:
    """Name the images of `pair`, so that `podman image prune` leaves them."""
    try:
        images.tag(pair)
    except ToolError as error:
        # They run without a name, too.
        tell(f"The images of {pair.version} got no name: {error.sentence}")


def record(pending: Pending, outcome: Outcome, host: Host, tell: Tell) -> Entry:
    """Write the line of the history, and take the upgrade off the record."""
    with suppress(OSError):  # lines that nobody reads do no harm
        asked.end(host.path(asked.PATH))
    entry = Entry(
        id=pending.id,
        kind=pending.kind,
        source=pending.source,
        started=pending.started,
        ended=time.time(),
        outcome=outcome,
        phase=pending.phase,
        old=pending.old,
        new=pending.new,
        reason=pending.reason,
    )
    history.add(host.root, entry)
    journal.passed(Step.RECORDED, tell)
    journal.end(host.root, tell)
    return entry
