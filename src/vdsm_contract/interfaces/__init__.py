# SPDX-License-Identifier: GPL-2.0-or-later
"""The verbs of supervdsm: one interface for each privilege room."""

from vdsm_contract.declare import Interface
from vdsm_contract.interfaces.host import Host
from vdsm_contract.interfaces.network import Network
from vdsm_contract.interfaces.service import Service
from vdsm_contract.interfaces.storage import Storage

ALL: tuple[type[Interface], ...] = (Service, Host, Storage, Network)

__all__ = ["ALL", "Host", "Network", "Service", "Storage"]
