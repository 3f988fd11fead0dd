# SPDX-License-Identifier: GPL-2.0-or-later
"""`python -m faults.daemon`: supervdsm with the faulty room. FAULTS_EFFECTS names the effects
file."""

import os
from pathlib import Path

from faults.room import FaultsRoom
from supervdsm.main import main
from supervdsm.server.lifecycle import end

if __name__ == "__main__":
    end(main(extra_rooms=[FaultsRoom(Path(os.environ["FAULTS_EFFECTS"]))]))
