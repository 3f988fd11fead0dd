# SPDX-License-Identifier: GPL-2.0-or-later
"""File systems that are full for a while."""

import time

from chaos.faults.harm import Harm, Target
from chaos.schedule import STATE, Fault
from chaos.site import DOMAIN_DIR, STATE_DIR

_LONGEST_S = 2.0


def fill(target: Target, fault: Fault) -> Harm:
    """Not a byte is free in supervdsm's directory of state, or in the domain's file system."""
    agent = target.site.agent
    directory = STATE_DIR if fault.target == STATE else DOMAIN_DIR
    agent.ask("fill", directory=directory)
    time.sleep(0.5 + fault.share * _LONGEST_S)  # this long is the fault
    agent.ask("unfill", directory=directory)
    return Harm(time.monotonic())
