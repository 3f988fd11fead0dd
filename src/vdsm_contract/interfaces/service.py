# SPDX-License-Identifier: GPL-2.0-or-later
"""`org.ovirt.supervdsm.service`: the connection itself and the health of the process."""

from vdsm_contract.declare import Interface, seconds, verb
from vdsm_contract.errors import (
    SERVICE,
    BadMessage,
    HelloRequired,
    PeerRefused,
    TooManyConnections,
    Unexpected,
    VersionMismatch,
)
from vdsm_contract.types import HealthReport, HelloReply


class Service(Interface, name=SERVICE):
    """Who is there, and is it well."""

    @verb(
        limit=seconds(5),
        # The errors of a connection belong to no other verb; they are declared with the first one.
        errors=(
            VersionMismatch,
            HelloRequired,
            PeerRefused,
            TooManyConnections,
            BadMessage,
            Unexpected,
        ),
        touches="nothing",
    )
    def hello(self, contract: str) -> HelloReply:
        """Say which contract the caller speaks: the first call of a connection."""

    @verb(limit=seconds(5), touches="nothing")
    def ping(self) -> None:
        """Do nothing, through the whole way that every verb takes."""

    @verb(limit=seconds(5), touches="nothing")
    def health(self) -> HealthReport:
        """Tell how the process is: its age, its connections, the calls that it works on."""
