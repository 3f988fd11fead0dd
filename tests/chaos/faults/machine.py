# SPDX-License-Identifier: GPL-2.0-or-later
"""The host itself goes away and comes back."""

import time

from chaos.faults.harm import Harm, Target
from chaos.schedule import Fault
from machines import SERVES


def reboot(target: Target, _fault: Fault) -> Harm:
    """An orderly reboot."""
    return _boots(target, "reboot")


def power_cut(target: Target, _fault: Fault) -> Harm:
    """All processes of the host end in one moment. What its kernel has not written stays, for that
    is this machine's."""
    return _boots(target, "power-cut", "boot")


def _boots(target: Target, *words: str) -> Harm:
    machine = target.site.machine
    # The first thing systemd does to the last processes is SIGSTOP. nsenter(1), which runs the
    # agent, takes that over, and nobody tells it to go on: it is no process of the host.
    target.site.agent.close()
    began = time.monotonic()
    for word in words:
        machine.tool_run(word, machine.name)
    machine.wait(SERVES)
    return Harm(began, booted=True)
