# SPDX-License-Identifier: GPL-2.0-or-later
"""Upgrades of the pair under load, whose upgrader is killed behind a step or not at all.

Each has one of two ends: the new pair is whole, or the old one is.
"""

import time
from collections.abc import Sequence
from functools import cache

from chaos.faults.harm import Harm, Target
from chaos.schedule import Fault
from host.releases import HALVES
from host.upgrades import ONE, STATE, TWO, Upgrading
from machines import Machine

_UNTIL_ITS_END = "none"


@cache
def releases(machine: Machine) -> Upgrading:
    """Make two releases, which obey the orders to be killed; once for each host. Takes a minute."""
    upgrading = Upgrading(machine)
    for release in (ONE, TWO):
        upgrading.add(release)
    return upgrading


def upgrade(target: Target, fault: Fault) -> Harm:
    """Upgrade to the release that does not run."""
    machine = target.site.machine
    upgrading = releases(machine)
    pinned = machine.sh("readlink /etc/vdsm/pins/current || true")
    goal = ONE if pinned.startswith(f"{TWO.version}-") else TWO
    upgrading.at(*([] if fault.target == _UNTIL_ITS_END else [f"kill {fault.target}"]))
    began = time.monotonic()
    upgrading.upgrade(goal)
    upgrading.wait_for_end()
    upgrading.at()
    if machine.sh(f"ls {STATE}/pending.json 2>/dev/null || true"):
        upgrading.tool("upgrade-undo")  # of one whose command was killed before it began
    return Harm(began, check=lambda: _not_whole(machine))


def _not_whole(machine: Machine) -> Sequence[str]:
    """What is wrong with the pair that runs now."""
    wrong = []
    for name in HALVES:
        pin = machine.sh(f"cat /etc/vdsm/pins/current/{name}.conf 2>/dev/null || true")
        runs = machine.sh(f"podman inspect -f '{{{{.Image}}}}' {name} || true")
        if pin and f"Image={runs}" not in pin:
            wrong.append(f"{name} runs {runs}, and is pinned to {pin}")
    versions = {
        name: machine.sh(
            f"podman inspect -f '{{{{index .Config.Labels \"org.opencontainers.image.version\"}}}}'"
            f" {name} || true"
        )
        for name in HALVES
    }
    if len(set(versions.values())) != 1:
        wrong.append(f"a pair of two releases runs: {versions}")
    left = machine.sh(f"ls {STATE}/pending.json /etc/vdsm/pins/.[!.]* 2>/dev/null || true")
    return [*wrong, f"an upgrade has left {left}"] if left else wrong
