# SPDX-License-Identifier: GPL-2.0-or-later
"""supervdsm with the bench's verbs beside its own, and a directory for all that it keeps.

Usage: bench_daemon.py DIRECTORY [OPTION...]
"""

import sys
from functools import cache
from pathlib import Path

import devices
from bench_interface import Bench

from supervdsm.main import main
from supervdsm.network.room import NetworkRoom
from supervdsm.server.lifecycle import end
from vdsm_contract.types import NetworkCapabilities


class BenchRoom(Bench):
    """Answers."""

    def __init__(self) -> None:
        self._made = cache(devices.capabilities)

    def audited(self) -> None:
        return

    def devices(self, count: int) -> NetworkCapabilities:
        return self._made(count)


if __name__ == "__main__":
    directory = Path(sys.argv[1])
    network = NetworkRoom(
        host_root=directory / "root", state_dir=directory, run_dir=directory / "run"
    )
    (directory / "run").mkdir()
    end(main(sys.argv[2:], extra_rooms=[BenchRoom()], network=network))
