# SPDX-License-Identifier: GPL-2.0-or-later
"""`python -m faults.daemon`: supervdsm with the faulty room.

FAULTS_EFFECTS names the effects file. FAULTS_CONTRACT, when set, is the contract version that it
speaks: a supervdsm of another release, for the flow of the skewed pair.
"""

import os
from pathlib import Path

import vdsm_contract.version

if "FAULTS_CONTRACT" in os.environ:
    # Before anything takes the constant over by name.
    vdsm_contract.version.CONTRACT_VERSION = os.environ["FAULTS_CONTRACT"]  # type: ignore[misc]

from faults.room import FaultsRoom
from supervdsm.main import main
from supervdsm.server.lifecycle import end

if __name__ == "__main__":
    end(main(extra_rooms=[FaultsRoom(Path(os.environ["FAULTS_EFFECTS"]))]))
