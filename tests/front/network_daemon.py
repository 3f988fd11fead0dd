# SPDX-License-Identifier: GPL-2.0-or-later
"""`python -m front.network_daemon DIRECTORY`: supervdsm over the network namespace that it is in.

It listens on DIRECTORY/svdsm.sock and keeps all else of the host below DIRECTORY: `root` is the
host's tree, `state` oVirt's directory, `run` the pair's below /run, and `hooks` has the hooks.
"""

import sys
from pathlib import Path

from supervdsm.main import main
from supervdsm.network.room import NetworkRoom
from supervdsm.network.transaction.hooks import Hooks
from supervdsm.server.lifecycle import end


def room(directory: Path) -> NetworkRoom:
    """The network room over the files below `directory`."""
    run_dir = directory / "run"
    return NetworkRoom(
        host_root=directory / "root",
        state_dir=directory / "state",
        run_dir=run_dir,
        hooks=Hooks(directory / "hooks", root=None, run_dir=run_dir),
    )


if __name__ == "__main__":
    base = Path(sys.argv[1])
    # Polls are told of at DEBUG only.
    options = ["--bind", str(base / "svdsm.sock"), "--log-level", "DEBUG"]
    end(main(options, network=room(base)))
