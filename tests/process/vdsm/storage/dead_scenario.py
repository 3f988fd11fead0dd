# SPDX-License-Identifier: GPL-2.0-or-later
"""Workers on a server that dies and comes back; prints as JSON what was seen.

Usage: unshare --mount --propagation private python dead_scenario.py DIRECTORY
"""

import json
import statistics
import sys
import threading
import time
from pathlib import Path

from process.vdsm.storage.dead_server import DeadServer
from vdsm.storage import errors
from vdsm.storage.outofprocess.pool import WorkerFileSystems
from vdsm.storage.outofprocess.root import Limits

TIMEOUT_S = 2.0
LIMITS = Limits(timeout_s=TIMEOUT_S, abandoned=3, look_s=0.2)
CALLS = 200


def state(pid: int) -> str:
    """R, S, D, Z, or nothing for one that is gone."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    return status.rpartition(")")[2].split()[0]


def wait_until_gone(pids: list[int]) -> list[str]:
    deadline = time.monotonic() + 30
    while (left := [state(pid) for pid in pids if state(pid)]) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left


def main(directory: Path) -> dict[str, object]:
    seen: dict[str, object] = {}
    dead, well = directory / "dead", directory / "well"
    for place in (dead, well):
        place.mkdir()
    filesystems = WorkerFileSystems(limits=LIMITS)

    def attempt() -> str:
        try:
            filesystems.at(dead).list()
        except errors.StorageDomainAccessError as error:
            return str(error)
        return "listed"

    def time_well() -> float:
        """The lower quartile: what a call takes while other programs leave it alone."""
        times = []
        for _ in range(CALLS):
            began = time.monotonic()
            filesystems.at(well).list()
            times.append(time.monotonic() - began)
            time.sleep(0.002)
        return statistics.quantiles(times)[0]

    with DeadServer(dead) as server:
        seen["before"] = attempt()
        calm = time_well()

        server.die()
        said: list[str] = []
        began = time.monotonic()
        threads = [
            threading.Thread(target=lambda: said.append(attempt())) for _ in range(LIMITS.abandoned)
        ]
        for thread in threads:
            thread.start()
        server.held.wait(30)
        root = filesystems._roots[dead]
        while len(root._busy) < LIMITS.abandoned:
            time.sleep(0.01)
        pids = [worker.pid for worker in root._busy]
        busy = time_well()
        for thread in threads:
            thread.join()
        seen["ended after"] = time.monotonic() - began
        seen["said"] = list(said)
        # SIGKILL wakes each for a moment, to wait on in a way that nothing ends.
        settled = time.monotonic() + 10
        while (states := [state(pid) for pid in pids]) != ["D"] * len(pids):
            if time.monotonic() > settled:
                break
            time.sleep(0.01)
        seen["states"] = states
        seen["slower"] = busy / calm
        began = time.monotonic()
        seen["at once"] = [attempt() for _ in range(100)]
        seen["at once took"] = time.monotonic() - began

        server.live()
        seen["left"] = wait_until_gone(pids)
        seen["after"] = attempt()

        server.die()
        failing = threading.Thread(target=lambda: said.append(attempt()))
        failing.start()
        server.held.wait(30)
        began = time.monotonic()
        filesystems.drop(dead)
        failing.join()
        seen["drop took"] = time.monotonic() - began
        seen["dropped"] = said[-1]
    filesystems.close()
    return seen


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]))))
