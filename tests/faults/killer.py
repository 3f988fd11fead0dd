# SPDX-License-Identifier: GPL-2.0-or-later
"""Run on the host: kill supervdsm's process TIMES in a row, each time at a random moment after it
served.

`killer.py EFFECTS TIMES SEED` prints the seconds from each SIGKILL to the next effect, as JSON.
"""

import json
import os
import random
import signal
import sys
import time
from pathlib import Path

GROUP = Path("/sys/fs/cgroup/system.slice/supervdsm.service")
PATIENCE = 30.0


def payload() -> int:
    """Return the pid of the container's first process; 0 when there is none."""
    for procs in GROUP.glob("libpod-payload-*/**/cgroup.procs"):
        try:
            pids = procs.read_text().split()
        except OSError:  # the group went away with its processes
            continue
        if pids:
            return int(pids[0])
    return 0


def wait_until(condition: "object", what: str) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():  # type: ignore[operator]
        if time.monotonic() > end:
            sys.exit(f"not within {PATIENCE} s: {what}")
        time.sleep(0.002)


def main() -> None:
    effects, times, seed = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    moments = random.Random(seed)
    recoveries = []
    victim = 0
    for _ in range(times):
        wait_until(lambda: payload() not in (0, victim), "another instance")  # noqa: B023
        victim = payload()
        size = effects.stat().st_size
        wait_until(lambda: effects.stat().st_size > size, "an effect")  # noqa: B023
        time.sleep(moments.uniform(0, 0.2))
        size = effects.stat().st_size
        os.kill(victim, signal.SIGKILL)
        killed = time.monotonic()
        wait_until(lambda: payload() != victim, "the end of the victim")  # noqa: B023
        size = effects.stat().st_size
        wait_until(lambda: effects.stat().st_size > size, "recovery")  # noqa: B023
        recoveries.append(time.monotonic() - killed)
    print(json.dumps(recoveries))


if __name__ == "__main__":
    main()
