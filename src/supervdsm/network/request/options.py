# SPDX-License-Identifier: GPL-2.0-or-later
"""The options of setupNetworks: how the change is confirmed (upstream-vdsm 3.2). No I/O."""

from collections.abc import Mapping
from typing import Final

from supervdsm.network.config import Options
from supervdsm.network.request.fields import Fields

MAX_TIMEOUT: Final = 600
"""Seconds. More would outlast the call that waits for them."""
_DEFAULT: Final = Options()


def parse(raw: Mapping[str, object]) -> Options:
    """Return the typed options. Those that are not known are ignored, as upstream does; a timeout
    that is too long is cut. Raises NetworkConfigError.
    """
    fields = Fields(raw, "options")
    timeout = fields.integer("connectivityTimeout")
    return Options(
        connectivity_check=fields.flag("connectivityCheck", default=_DEFAULT.connectivity_check),
        timeout=_DEFAULT.timeout if timeout is None else min(timeout, MAX_TIMEOUT),
        commit_on_success=fields.flag("commitOnSuccess", default=_DEFAULT.commit_on_success),
    )
