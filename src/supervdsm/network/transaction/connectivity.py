# SPDX-License-Identifier: GPL-2.0-or-later
"""The wait for a sign of the engine after a change of the network that it talks through.

vdsm says so through the contract (ConfirmConnectivity) when a client reaches it. Only a sign that
vdsm saw once the new network stood counts: an older one came by the old network.
"""

import math
import threading
import time
from typing import Final

_NEVER: Final = -math.inf


class Confirmation:
    """The time of the latest sign, on CLOCK_MONOTONIC, which all processes of a host share."""

    def __init__(self) -> None:
        self._seen = _NEVER
        self._changed = threading.Condition()

    def confirm(self, seen: float) -> None:
        """Note that a client was seen at `seen`. The future is not believed: it is cut to now."""
        if math.isnan(seen):
            return
        with self._changed:
            self._seen = max(self._seen, min(seen, time.monotonic()))
            self._changed.notify_all()

    def wait(self, since: float, timeout: float) -> bool:
        """Return whether a client was seen at or after `since`, within `timeout` seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: self._seen >= since, timeout)
