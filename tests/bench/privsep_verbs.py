# SPDX-License-Identifier: GPL-2.0-or-later
"""What oslo.privsep's daemon serves; it imports this by its name."""

from functools import cache
from typing import Final

import devices as made
from oslo_privsep import priv_context

SECTION: Final = "bench"
CONTEXT: Final = priv_context.PrivContext(
    "privsep_verbs",
    cfg_section=SECTION,
    pypath="privsep_verbs.CONTEXT",
    capabilities=[],  # it answers, and no more
)
_as_dicts = cache(made.as_dicts)


@CONTEXT.entrypoint
def ping() -> None:
    """Do nothing."""


@CONTEXT.entrypoint
def devices(count: int) -> dict[str, object]:
    """Return the capabilities of a host with `count` NICs."""
    return _as_dicts(count)
