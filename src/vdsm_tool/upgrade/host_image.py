# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether the pair is a part of the host's own image, which then upgrades it: docs/immutable.md.

`containers/install-vendor` puts the units below /usr, where an image of a host has its own. Quadlet
prefers a unit of the same name below /etc, which `containers/install` makes.
"""

from typing import Final

from vdsm_tool.errors import ToolError
from vdsm_tool.host import Host

_VENDOR_UNIT: Final = "/usr/share/containers/systemd/vdsm.container"
_OWN_UNIT: Final = "/etc/containers/systemd/vdsm.container"


def brings_the_pair(host: Host) -> bool:
    """Return whether the host's image decides which pair runs."""
    return host.path(_VENDOR_UNIT).exists() and not host.path(_OWN_UNIT).exists()


def refuse(host: Host) -> None:
    """Raise ToolError where the host's image decides which pair runs."""
    if brings_the_pair(host):
        raise ToolError(
            f"The pair is a part of this host's image ({_VENDOR_UNIT}): nothing was changed",
            "Upgrade or roll back the host itself, for example `bootc upgrade` or `bootc "
            "rollback`; see docs/immutable.md.",
        )
