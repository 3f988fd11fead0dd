# SPDX-License-Identifier: GPL-2.0-or-later
"""What the verbs are given to work with."""

from __future__ import annotations

from dataclasses import dataclass

from vdsm.config import Config
from vdsm.jsonrpc.events import Events
from vdsm_contract.proxy import Supervdsm


@dataclass(frozen=True, slots=True)
class Services:
    """Made once at start. `supervdsm` connects when it is first used, not before."""

    config: Config
    supervdsm: Supervdsm
    events: Events
