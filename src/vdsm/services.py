# SPDX-License-Identifier: GPL-2.0-or-later
"""What the verbs are given to work with."""

from __future__ import annotations

from dataclasses import dataclass, field

from vdsm.host.clients import ClientWatch
from vdsm.host.sampling import Sampler
from vdsm.host.tree import HostTree
from vdsm.jobs import Jobs
from vdsm.jsonrpc.events import Events
from vdsm.storage import services as storage
from vdsm.storage.services import StorageServices
from vdsm_contract.config import Config
from vdsm_contract.proxy import Supervdsm


@dataclass(frozen=True, slots=True)
class Services:
    """Made once at start. `supervdsm` connects when it is first used, not before; `sampler` works
    while it is entered; `storage` does so from its first use until `close`."""

    config: Config
    supervdsm: Supervdsm
    events: Events
    tree: HostTree = field(default_factory=HostTree)
    sampler: Sampler = field(default_factory=Sampler)
    clients: ClientWatch = field(default_factory=ClientWatch)
    jobs: Jobs = field(default_factory=Jobs)
    storage: StorageServices = field(init=False)

    def __post_init__(self) -> None:
        made = storage.make(
            self.config, self.supervdsm, tree=self.tree, events=self.events, jobs=self.jobs
        )
        object.__setattr__(self, "storage", made)  # the one field that the others make

    def close(self) -> None:
        """Ends what the parts started."""
        self.storage.close()
