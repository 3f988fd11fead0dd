# SPDX-License-Identifier: GPL-2.0-or-later
"""`org.ovirt.supervdsm.bench`: verbs that do nothing but answer."""

from vdsm_contract.declare import Interface, seconds, verb
from vdsm_contract.types import NetworkCapabilities


class Bench(Interface, name="org.ovirt.supervdsm.bench"):
    """What is measured beside Ping."""

    @verb(limit=seconds(30), touches="the audit, before the answer")
    def audited(self) -> None:
        """Do nothing, as a verb that changes something: its line is written before its answer."""

    @verb(limit=seconds(30), touches="nothing")
    def devices(self, count: int) -> NetworkCapabilities:
        """Return the capabilities of a host with `count` NICs."""
