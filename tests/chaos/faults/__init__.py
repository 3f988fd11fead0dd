# SPDX-License-Identifier: GPL-2.0-or-later
"""What is done to the host: one module for each family of faults, found by the kind.

A fault is a function of the site and the fault, which does it and says what it has done. It
returns when whatever it did is over; what it did to the pair may not be: see `recovery`.
"""

from collections.abc import Callable, Mapping
from typing import Final

from chaos.faults import disk, journal, machine, network, processes, upgrade
from chaos.faults.harm import Harm, Target
from chaos.schedule import Fault, Kind

FAULTS: Final[Mapping[Kind, Callable[[Target, Fault], Harm]]] = {
    Kind.KILL: processes.kill,
    Kind.KILL_BOTH: processes.kill_both,
    Kind.STOP: processes.stop,
    Kind.PODMAN_KILL: processes.podman_kill,
    Kind.RESTART: processes.restart,
    Kind.CUT: network.cut,
    Kind.DROP: network.drop,
    Kind.FILL: disk.fill,
    Kind.TEAR: journal.tear,
    Kind.UPGRADE: upgrade.upgrade,
    Kind.STOP_UPGRADER: upgrade.stop_upgrader,
    Kind.REBOOT: machine.reboot,
    Kind.POWER_CUT: machine.power_cut,
}
