# SPDX-License-Identifier: GPL-2.0-or-later
"""What the verbs are given to work with."""

from __future__ import annotations

from dataclasses import dataclass, field

from vdsm.host.clients import ClientWatch
from vdsm.host.sampling import Sampler
from vdsm.host.tree import HostTree
from vdsm.jobs import Jobs
from vdsm.jsonrpc.events import Events
from vdsm_contract.config import Config
from vdsm_contract.proxy import Supervdsm


@dataclass(frozen=True, slots=True)
class Services:
    """Made once at start. `supervdsm` connects when it is first used, not before; `sampler` works
    while it is entered."""

    config: Config
    supervdsm: Supervdsm
    events: Events
    tree: HostTree = field(default_factory=HostTree)
    sampler: Sampler = field(default_factory=Sampler)
    clients: ClientWatch = field(default_factory=ClientWatch)
    jobs: Jobs = field(default_factory=Jobs)
