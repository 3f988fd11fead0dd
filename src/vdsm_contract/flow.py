# SPDX-License-Identifier: GPL-2.0-or-later
"""The flow id: oVirt's correlation id, carried from the client's request to the audit line.

vdsm binds it while it serves a request, the proxy sends it along, and supervdsm binds it again
while the verb runs. Each line that is logged meanwhile ends with it (`vdsm_contract.systemd`), so
that one grep finds a flow in both journals.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

import msgspec

LONGEST: Final = 128
"""Characters of a flow id that are kept."""

_flow: ContextVar[str] = ContextVar("flow", default="")

current = _flow.get
"""Return the flow id bound in this context; empty when there is none."""
bind = _flow.set
"""Bind a flow id in this context; what this returns undoes it when given to `unbind`."""
unbind = _flow.reset


def told(flow_id: str) -> str:
    """Return a flow id as it stands in a log line: a JSON string of ASCII, whatever it holds."""
    printable = flow_id[:LONGEST].encode("ascii", "backslashreplace").decode()
    return msgspec.json.encode(printable).decode()


@contextmanager
def bound(flow_id: str) -> Iterator[None]:
    """Bind `flow_id` in this context (thread or task) until the block ends."""
    token = bind(flow_id)
    try:
        yield
    finally:
        unbind(token)
