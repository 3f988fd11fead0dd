# SPDX-License-Identifier: GPL-2.0-or-later
"""Calls to supervdsm in its container, made as root on its host; a raw echo beside them."""

import tempfile
from pathlib import Path

import ipc_peers
from measure import Section

from vdsm_contract.proxy import Supervdsm

CALLS = 5000

if __name__ == "__main__":
    supervdsm = Supervdsm()
    section = Section("calls", "supervdsm, in its container")
    ping = section.latency("Ping", supervdsm.service.ping, CALLS)
    with (
        tempfile.TemporaryDirectory() as directory,
        ipc_peers.running("raw echo", Path(directory)) as echo,
    ):
        raw = section.latency("raw AF_UNIX echo", echo.connect(0), CALLS)
    section.ratio("Ping / raw echo", ping, raw)
    section.latency("NetworkCaps", supervdsm.network.network_caps, 100)
    section.latency("NetworkStats", supervdsm.network.network_stats, 100)
