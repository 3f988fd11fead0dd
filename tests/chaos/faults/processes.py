# SPDX-License-Identifier: GPL-2.0-or-later
"""Processes that are killed, stopped and restarted. Somebody else starts them again: systemd."""

import time
from typing import Final

from chaos.faults.harm import Harm, Target
from chaos.schedule import DHCP, SUPERVDSM, VDSM, Fault
from chaos.site import DHCP_UNIT

_UNITS: Final = {SUPERVDSM: SUPERVDSM, VDSM: VDSM, DHCP: DHCP_UNIT}


def kill(target: Target, fault: Fault) -> Harm:
    """SIGKILL to the main process of a container."""
    return _signal(target, fault, [_UNITS[fault.target]], "KILL")


def kill_both(target: Target, fault: Fault) -> Harm:
    """SIGKILL to both, in one moment."""
    return _signal(target, fault, [VDSM, SUPERVDSM], "KILL")


def stop(target: Target, fault: Fault) -> Harm:
    """SIGSTOP: the watchdog of systemd finds out."""
    return _signal(target, fault, [_UNITS[fault.target]], "STOP")


def _signal(target: Target, fault: Fault, units: list[str], name: str) -> Harm:
    done = target.site.agent.ask(
        "kill", units=units, signal_name=name, in_change=fault.in_change, share=fault.share
    )
    return Harm(time.monotonic(), replaced=done["pids"])


def podman_kill(target: Target, fault: Fault) -> Harm:
    """The operator's way to kill."""
    return _command(target, fault, "podman", "kill", "--signal=KILL", fault.target)


def restart(target: Target, fault: Fault) -> Harm:
    """The operator's way to restart: calls in flight end first."""
    return _command(target, fault, "systemctl", "restart", f"{fault.target}.service")


def _command(target: Target, fault: Fault, *argv: str) -> Harm:
    agent = target.site.agent
    pid = agent.ask("main_pid", unit=fault.target)
    began = time.monotonic()
    agent.run(*argv, timeout=120)
    return Harm(began, replaced={fault.target: pid})
