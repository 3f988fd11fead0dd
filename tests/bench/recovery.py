# SPDX-License-Identifier: GPL-2.0-or-later
"""How long a call waits when supervdsm was killed just before it: made as root, host's pids."""

import os
import signal
import time
from pathlib import Path

from measure import Section

from vdsm_contract.proxy import Supervdsm

KILLS = 20


def daemon() -> int:
    """Return the pid of supervdsm's first process: the one in its container's cgroup."""
    for process in Path("/proc").glob("[0-9]*"):
        if "/supervdsm.service/libpod-payload-" in (process / "cgroup").read_text():
            return int(process.name)
    raise SystemExit("supervdsm does not run")


if __name__ == "__main__":
    times = []
    for _ in range(KILLS):
        Supervdsm().service.ping()
        pid = daemon()
        killed = time.monotonic()
        os.kill(pid, signal.SIGKILL)
        while Path(f"/proc/{pid}").exists():
            time.sleep(0.001)
        Supervdsm().service.ping()
        times.append(time.monotonic() - killed)
    section = Section("calls", "supervdsm, in its container")
    section.show("killed, next call served after", times)
