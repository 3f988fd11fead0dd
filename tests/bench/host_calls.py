# SPDX-License-Identifier: GPL-2.0-or-later
"""Calls to supervdsm, made as root on a host with the pair; raw mechanisms beside them."""

import peers
from measure import latency, ratio, throughput

from vdsm_contract.proxy import Supervdsm

CALLS = 5000
PING_BYTES = 80

if __name__ == "__main__":
    supervdsm = Supervdsm()
    ping = latency("supervdsm Ping", supervdsm.service.ping, CALLS)
    with peers.unix_echo(PING_BYTES) as echo:
        raw = latency("raw AF_UNIX echo", echo, CALLS)
    with peers.upstream_manager() as call:
        manager = latency("multiprocessing.managers, as upstream", call, CALLS)
    ratio("Ping / raw echo", ping, raw)
    ratio("Ping / multiprocessing.managers", ping, manager)
    throughput("supervdsm Ping", supervdsm.service.ping, threads=8, seconds=3)
    latency("supervdsm NetworkCaps", supervdsm.network.network_caps, 100)
    latency("supervdsm NetworkStats", supervdsm.network.network_stats, 100)
