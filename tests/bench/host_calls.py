# SPDX-License-Identifier: GPL-2.0-or-later
"""Calls to supervdsm in its container, made as root on its host; a raw echo beside them."""

import tempfile
from functools import partial
from pathlib import Path

import ipc_peers
from measure import Section, in_turns, timed
from placing import on_one_processor

from vdsm_contract.proxy import Supervdsm

PART, CASE = "calls", "supervdsm, in its container"
FLOOR = "raw AF_UNIX echo"
SECONDS = 1.0

if __name__ == "__main__":
    supervdsm = Supervdsm()
    with (
        on_one_processor("supervdsm.service"),
        tempfile.TemporaryDirectory() as directory,
        ipc_peers.running("raw echo", Path(directory)) as echo,
    ):
        contenders = {"Ping": supervdsm.service.ping, FLOOR: echo.connect(0)}
        runs = {what: partial(timed, call, seconds=SECONDS) for what, call in contenders.items()}
        in_turns(PART, f"{CASE}, one processor", 0, runs, floor=FLOOR)
    section = Section(PART, CASE)
    section.latency("NetworkCaps", supervdsm.network.network_caps, 100)
    section.latency("NetworkStats", supervdsm.network.network_stats, 100)
