# SPDX-License-Identifier: GPL-2.0-or-later
"""What dhcpcd(8) runs whenever something happens to its device: dhcpcd-run-hooks(8).

dhcpcd waits for it, so it imports little where there is little to do.
"""

import os
import sys
from typing import Final

from vdsm_contract import systemd

_FIRST: Final = "PREINIT"
"""dhcpcd accepted its configuration and found the device."""
_LEASES: Final = frozenset({"dhcp", "dhcp6"})


def main() -> int:
    """Run the hook, with everything in the environment."""
    told = dict(os.environ)
    if told.get("reason") == _FIRST:
        systemd.notify("READY=1")
    elif told.get("protocol") in _LEASES:
        from supervdsm.network.services import lease_events

        try:
            lease_events.happened(told)
        except (OSError, ValueError) as error:
            # dhcpcd logs the status, and goes on.
            print(f"vdsm-dhcp-hook: {error}", file=sys.stderr)
            return 1
    return 0
