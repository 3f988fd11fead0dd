# SPDX-License-Identifier: GPL-2.0-or-later
"""Calls to supervdsm, made as root on a host with the pair."""

from measure import latency, throughput

from vdsm_contract.proxy import Supervdsm

if __name__ == "__main__":
    supervdsm = Supervdsm()
    latency("supervdsm Ping", supervdsm.service.ping, 2000)
    throughput("supervdsm Ping", supervdsm.service.ping, threads=8, seconds=3)
    latency("supervdsm NetworkCaps", supervdsm.network.network_caps, 100)
    latency("supervdsm NetworkStats", supervdsm.network.network_stats, 100)
