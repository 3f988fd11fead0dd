# SPDX-License-Identifier: GPL-2.0-or-later
"""Upgrades of the pair under load, whose upgrader is killed behind a step, stopped, or neither.

Each has one of two ends: the new pair is whole, or the old one is.
"""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Final

from chaos.faults.harm import Harm, Target
from chaos.schedule import CONTINUED, Fault
from chaos.site import Agent
from host.releases import HALVES, Release
from host.upgrades import ONE, STATE, TWO, Upgrading
from machines import Machine

_UNTIL_ITS_END = "none"
_UNIT: Final = "vdsm-upgrade"
_SWAP_S = 8.0
"""A swap takes about that long."""
_HELD_S = 1.0
_RUNS: Final = '{{.Image}} {{index .Config.Labels "org.opencontainers.image.version"}}'


@cache
def releases(machine: Machine) -> Upgrading:
    """Make two releases, which obey the orders to be killed; once for each host. Takes a minute."""
    upgrading = Upgrading(machine)
    for release in (ONE, TWO):
        upgrading.add(release)
    return upgrading


def upgrade(target: Target, fault: Fault) -> Harm:
    """Upgrade to the release that does not run."""
    upgrading = releases(target.site.machine)
    upgrading.at(*([] if fault.target == _UNTIL_ITS_END else [f"kill {fault.target}"]))
    goal = _other(target)
    began = time.monotonic()
    upgrading.upgrade(goal)
    return _ended(target, upgrading, began, kept=fault.target == _UNTIL_ITS_END)


def stop_upgrader(target: Target, fault: Fault) -> Harm:
    """SIGSTOP to the upgrader at any time of the swap; a second later it goes on, or is killed."""
    upgrading = releases(target.site.machine)
    upgrading.at()
    goal = _other(target)
    began = time.monotonic()
    with ThreadPoolExecutor(1) as aside:
        command = aside.submit(upgrading.upgrade, goal)
        held = target.site.agent.ask(
            "hold", unit=_UNIT, patience_s=60, after_s=fault.share * _SWAP_S, seconds=_HELD_S,
            then="CONT" if fault.target == CONTINUED else "KILL",
        )  # fmt: skip
        command.result()
    title = fault.title if held["pids"] else "stop upgrader missed"
    return _ended(target, upgrading, began, title, kept=fault.target == CONTINUED)


def _other(target: Target) -> Release:
    pinned = target.site.agent.run("sh", "-c", "readlink /etc/vdsm/pins/current || true")
    return ONE if pinned.startswith(f"{TWO.version}-") else TWO


def _ended(
    target: Target, upgrading: Upgrading, began: float, title: str = "", *, kept: bool
) -> Harm:
    """Wait for the end of what the killed or the whole command has left to the units."""
    agent = target.site.agent
    upgrading.wait_for_end()
    upgrading.at()
    if agent.run("sh", "-c", f"ls {STATE}/pending.json 2>/dev/null || true"):
        upgrading.tool("upgrade-undo")  # of one whose command was killed before it began

    def wrong() -> Sequence[str]:
        last = upgrading.last()
        bad = last["outcome"] != "kept" if kept else last["outcome"] == "broken"
        return [*_not_whole(agent), *([f"the upgrade has ended so: {last}"] if bad else [])]

    return Harm(began, check=wrong, title=title)


def _not_whole(agent: Agent) -> Sequence[str]:
    """What is wrong with the pair that runs now."""
    wrong, versions = [], {}
    for name in HALVES:
        pin = agent.run("sh", "-c", f"cat /etc/vdsm/pins/current/{name}.conf 2>/dev/null || true")
        seen = agent.run("sh", "-c", f"podman inspect -f '{_RUNS}' {name} || true").strip()
        runs, _, versions[name] = seen.partition(" ")
        if pin and f"Image={runs}" not in pin:
            wrong.append(f"{name} runs {runs}, and is pinned to {pin}")
    if len(set(versions.values())) != 1:
        wrong.append(f"a pair of two releases runs: {versions}")
    left = agent.run(
        "sh", "-c", f"ls {STATE}/pending.json /etc/vdsm/pins/.[!.]* 2>/dev/null || true"
    )
    return [*wrong, f"an upgrade has left {left}"] if left else wrong
