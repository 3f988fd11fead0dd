# SPDX-License-Identifier: GPL-2.0-or-later
"""What of a target can be had at all on this host. No I/O.

A NIC that was pulled out cannot be made by software, and neither can a VLAN on it. A rollback must
bring back all the rest even so; what it cannot bring back is named.
"""

from collections.abc import Callable
from typing import Final

from msgspec.structs import replace

from supervdsm.network.plan.state import Device, State

MADE: Final = frozenset({"bond", "bridge", "vlan"})
"""Kinds of devices that are made and removed by software, and by us."""


def unreachable(current: State, target: State) -> frozenset[str]:
    """Return the devices of a target that can never be there: a NIC that is missing, what
    needs one, and a bond, bridge or VLAN whose name is taken by a NIC.
    """
    found: dict[str, bool] = {}

    def missing(name: str) -> bool:
        if name not in found:
            found[name] = False  # Ends a loop in a target that has one.
            found[name] = _missing(name, current, target, missing)
        return found[name]

    return frozenset(name for name in target.devices if missing(name))


def feasible(current: State, target: State) -> State:
    """Return the target without what is unreachable and without the removal of what is not ours."""
    lost = unreachable(current, target)
    absent = frozenset(
        name
        for name in target.absent
        if name not in current.devices or current.devices[name].kind in MADE
    )
    if not lost and absent == target.absent:
        return target
    devices = {
        name: replace(device, master=None) if device.master in lost else device
        for name, device in target.devices.items()
        if name not in lost
    }
    return replace(
        target,
        devices=devices,
        absent=absent,
        routes=frozenset(route for route in target.routes if route.device not in lost),
        dhcp={name: client for name, client in target.dhcp.items() if name not in lost},
    )


def _missing(name: str, current: State, target: State, missing: Callable[[str], bool]) -> bool:
    wanted = target.devices.get(name)
    found = current.devices.get(name)
    if wanted is None:
        return found is None or name in target.absent
    if found is not None and (wanted.kind in MADE) != (found.kind in MADE):
        return True
    if wanted.kind not in MADE:
        return found is None
    return wanted.kind == "vlan" and not _stays(wanted, found) and missing(wanted.lower)


def _stays(wanted: Device, found: Device | None) -> bool:
    """A VLAN whose lower device is in another namespace is there all the same."""
    return found is not None and not differs(wanted, found) and not wanted.lower


def differs(wanted: Device, found: Device) -> bool:
    """Tell whether a device must be made anew to become another one."""
    if wanted.kind not in MADE:
        return False
    return (wanted.kind, wanted.lower, wanted.vlan) != (found.kind, found.lower, found.vlan)
