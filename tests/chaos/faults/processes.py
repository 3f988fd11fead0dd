# SPDX-License-Identifier: GPL-2.0-or-later
"""Processes that are killed, stopped and restarted. Somebody else starts them again: systemd."""

import time
from collections.abc import Sequence
from typing import Final

from chaos.faults.harm import Harm, Target
from chaos.schedule import DHCP, SUPERVDSM, VDSM, Fault
from chaos.site import DHCP_UNIT

_HELD_S = 2.5
_UNITS: Final = {SUPERVDSM: SUPERVDSM, VDSM: VDSM, DHCP: DHCP_UNIT}


def kill(target: Target, fault: Fault) -> Harm:
    """SIGKILL to the main process of a container."""
    return _signal(target, fault, [_UNITS[fault.target]], "KILL")


def kill_both(target: Target, fault: Fault) -> Harm:
    """SIGKILL to both, in one moment."""
    return _signal(target, fault, [VDSM, SUPERVDSM], "KILL")


def stop(target: Target, fault: Fault) -> Harm:
    """SIGSTOP: the watchdog of systemd finds out. The DHCP client has none and goes on after a
    while, as if nothing had been: it is the same process, and its address stays."""
    if fault.target == DHCP:
        return _hold(target, fault)
    return _signal(target, fault, [_UNITS[fault.target]], "STOP")


def _signal(target: Target, fault: Fault, units: list[str], name: str) -> Harm:
    done = target.site.agent.ask(
        "kill", units=units, signal_name=name, in_change=fault.in_change, share=fault.share
    )
    return Harm(time.monotonic(), replaced=done["containers"])


def _hold(target: Target, fault: Fault) -> Harm:
    agent = target.site.agent
    length = 0.2 + fault.share * _HELD_S  # this long is the fault
    held = agent.ask("hold", unit=DHCP_UNIT, patience_s=5, after_s=0, seconds=length, then="CONT")

    def same() -> Sequence[str]:
        now = agent.ask("main_pid", unit=DHCP_UNIT)
        return [] if now == held["main"] else [f"{DHCP_UNIT} was replaced: it only stood still"]

    return Harm(time.monotonic(), check=same)


def podman_kill(target: Target, fault: Fault) -> Harm:
    """The operator's way to kill."""
    name = _UNITS[fault.target].replace("@", "-")
    return _command(target, fault, "podman", "kill", "--signal=KILL", name)


def restart(target: Target, fault: Fault) -> Harm:
    """The operator's way to restart: calls in flight end first."""
    return _command(target, fault, "systemctl", "restart", f"{_UNITS[fault.target]}.service")


def _command(target: Target, fault: Fault, *argv: str) -> Harm:
    agent, unit = target.site.agent, _UNITS[fault.target]
    container = agent.ask("container", unit=unit)
    began = time.monotonic()
    agent.run(*argv, timeout=120)
    return Harm(began, replaced={unit: container})
