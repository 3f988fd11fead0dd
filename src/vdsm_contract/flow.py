# SPDX-License-Identifier: GPL-2.0-or-later
"""The flow id: oVirt's correlation id, carried from the client's request to the audit line.

vdsm binds it while it serves a request, the proxy sends it along, and supervdsm binds it again
while the verb runs, so that one grep finds a flow in both journals.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_flow: ContextVar[str] = ContextVar("flow", default="")


def current() -> str:
    """Return the flow id bound in this context; empty when there is none."""
    return _flow.get()


@contextmanager
def bound(flow_id: str) -> Iterator[None]:
    """Bind `flow_id` in this context (thread or task) until the block ends."""
    token = _flow.set(flow_id)
    try:
        yield
    finally:
        _flow.reset(token)
