# SPDX-License-Identifier: GPL-2.0-or-later
"""The room of `org.ovirt.supervdsm.service`: Hello, Ping, Health."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from supervdsm.server.calls import CallRegistry
from vdsm_contract.errors import VersionMismatch
from vdsm_contract.interfaces import Service
from vdsm_contract.types import HealthReport, HelloReply
from vdsm_contract.version import CONTRACT_VERSION, RELEASE


@dataclass
class ServiceRoom(Service):
    """Answers for the process. `connections` and `draining` ask the server."""

    calls: CallRegistry
    connections: Callable[[], int]
    draining: Callable[[], bool]
    started: float = field(default_factory=time.monotonic)

    def hello(self, contract: str) -> HelloReply:
        """Accept a caller of the same contract. Raises VersionMismatch."""
        if contract != CONTRACT_VERSION:
            raise VersionMismatch(server=CONTRACT_VERSION, client=contract[:64])
        return HelloReply(contract=CONTRACT_VERSION, release=RELEASE)

    def ping(self) -> None:
        """Do nothing."""

    def health(self) -> HealthReport:
        """Tell how the process is."""
        in_flight = self.calls.snapshot()
        return HealthReport(
            contract=CONTRACT_VERSION,
            release=RELEASE,
            pid=os.getpid(),
            uptime=round(time.monotonic() - self.started, 3),
            draining=self.draining(),
            connections=self.connections(),
            inFlight=len(in_flight),
            calls=self.calls.calls,
            failures=self.calls.failures,
            overdue=[
                f"{one.call.method} {one.flow_id}".strip() for one in in_flight if one.overdue
            ],
        )
