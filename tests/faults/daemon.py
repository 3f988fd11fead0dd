# SPDX-License-Identifier: GPL-2.0-or-later
"""`python -m faults.daemon`: supervdsm with the faulty room.

FAULTS_EFFECTS names the effects file. FAULTS_CONTRACT, when set, is the contract version that it
speaks: a supervdsm of another release, for the flow of the skewed pair. FAULTS_STATE, when set, is
a directory for all that it keeps of networks: nothing of this machine is restored then.
"""

import os
from pathlib import Path

import vdsm_contract.version

if "FAULTS_CONTRACT" in os.environ:
    # Before anything takes the constant over by name.
    vdsm_contract.version.CONTRACT_VERSION = os.environ["FAULTS_CONTRACT"]  # type: ignore[misc]

from faults.room import FaultsRoom
from supervdsm.main import main
from supervdsm.network.room import NetworkRoom
from supervdsm.server.lifecycle import end


def network() -> NetworkRoom | None:
    """Return a room of its own; None where the usual one is meant."""
    if "FAULTS_STATE" not in os.environ:
        return None
    state = Path(os.environ["FAULTS_STATE"])
    run_dir = state / "run"
    run_dir.mkdir(parents=True, exist_ok=True)
    return NetworkRoom(host_root=state / "root", state_dir=state, run_dir=run_dir)


if __name__ == "__main__":
    end(main(extra_rooms=[FaultsRoom(Path(os.environ["FAULTS_EFFECTS"]))], network=network()))
