# SPDX-License-Identifier: GPL-2.0-or-later
"""`python -m designs.helper DESIGN DIRECTORY [VDSM_PID [KEY]]`: the helper of one of the designs.

All are the real supervdsm with a room of its own. C gets its socket from the manager, checks the
release of its callers, and ends after a defect. The others bind their socket by themselves, whoever
had it before, live on after a defect, as the helper of old did, and know no releases; in the legacy
flow the key that vdsm has made is asked for instead.
"""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import vdsm_contract.version
from designs import LOOK_S, processes


def main() -> int:
    design, directory, *more = sys.argv[1:]
    place = Path(directory)
    release = (place / "release").read_text()
    processes.say_born(place, "helper")
    # Before anything takes the constant over by name.
    vdsm_contract.version.CONTRACT_VERSION = {"C": release}.get(design, (*more, "", "")[1])  # type: ignore[misc]
    from designs.work import WorkRoom
    from supervdsm import main as supervdsm
    from supervdsm.network.room import NetworkRoom
    from supervdsm.server.lifecycle import Lifecycle

    arguments = ["--vdsm-uid", str(os.getuid()), "--vdsm-cgroup", processes.own_cgroup()]
    if design != "C":
        Lifecycle.fail = lambda *_: None  # type: ignore[method-assign, assignment]
        (place / "svdsm.sock").unlink(missing_ok=True)
        arguments += ["--bind", str(place / "svdsm.sock")]
    if design == "legacy":
        (place / "pid").write_text(f"{os.getpid()} {processes.born_at(os.getpid())}")
    if design == "B":
        vdsm = subprocess.Popen([sys.executable, "-m", "designs.vdsm", design, directory])

    class Room(NetworkRoom):
        """Does first what the design does beside serving: threads come after privileges went."""

        def before_serving(self) -> None:
            if design in {"legacy", "A"}:
                threading.Thread(target=_end_without, args=[int(more[0])], daemon=True).start()
            if design == "B":
                threading.Thread(target=_end_with, args=[vdsm], daemon=True).start()

    state = place / "state" / str(os.getpid())
    (state / "run").mkdir(parents=True)
    network = Room(host_root=state / "root", state_dir=state, run_dir=state / "run")
    return supervdsm.main(arguments, [WorkRoom(place / "effects", release)], network)


def _end_without(vdsm: int) -> None:
    """Ends this process when vdsm is seen to be gone."""
    while True:
        try:
            os.kill(vdsm, 0)
        except ProcessLookupError:
            os._exit(0)
        time.sleep(LOOK_S)


def _end_with(vdsm: "subprocess.Popen[bytes]") -> None:
    vdsm.wait()
    os._exit(1)


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    os._exit(status)
