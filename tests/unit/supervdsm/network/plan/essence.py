# SPDX-License-Identifier: GPL-2.0-or-later
"""What of a host's network must be the same again after a change was taken back."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import msgspec

from supervdsm.network import bonding
from supervdsm.network.plan.state import Address, Device, State

RTPROT_DHCP: Final = 16
LEASED: Final = "172.31."
"""How addresses begin that a DHCP client gets in tests."""
INHERITED: Final = "its active port's"
"""Stands for the hardware address of a bond that nobody can set, and of VLANs that follow it."""


@dataclass(frozen=True)
class Essence:
    """What of a device must be the same again: all but what a DHCP client or the kernel brings."""

    device: Device
    """Without all that follows."""
    hwaddr: str | None
    options: dict[str, str]
    addresses4: list[Address]
    addresses6: frozenset[Address]


def essence(state: State) -> dict[str, object]:
    """What of a host must be the same again."""
    return {name: _essence(device, state) for name, device in state.devices.items()} | {
        "routes": {route for route in state.routes if route.protocol != RTPROT_DHCP},
        "rules": {rule for rule in state.rules if LEASED not in repr(rule)},
        "clients": state.dhcp,
        "resolv.conf": state.nameservers,
    }


def has_active_ports_hwaddr(options: Mapping[str, str]) -> bool:
    """Tell whether a bond with these options takes its hardware address from its active port."""
    return options["mode"] == "1" and options["fail_over_mac"] != "0"


def _hwaddr(device: Device, state: State) -> str | None:
    if device.kind == "bond" and has_active_ports_hwaddr(device.options or {}):
        return INHERITED
    lower = state.devices.get(device.lower)
    if lower is not None and lower.hwaddr == device.hwaddr:
        return _hwaddr(lower, state)
    return device.hwaddr


def _essence(device: Device, state: State) -> Essence:
    lasting = [one for one in device.addresses or () if one.lifetime == 0]
    ipv6 = device.ipv6
    options = device.options or {}
    if device.kind == "bond":
        # What an option had been in another mode is of no effect and not brought back. Which port
        # is the active one is the kernel's choice.
        mode = options["mode"]
        options = {
            name: value
            for name, value in options.items()
            if name != "active_slave" and mode in bonding.OPTIONS[name].modes
        }
    return Essence(
        msgspec.structs.replace(
            device,
            hwaddr=None,
            options=None,
            addresses=None,
            ipv6=None if ipv6 is None or ipv6.disabled else ipv6,
        ),
        _hwaddr(device, state),
        options,
        [one for one in lasting if one.version == 4],
        frozenset(one for one in lasting if one.version == 6),
    )


def differences(found: State, wanted: dict[str, object]) -> dict[str, object]:
    """Return what is in `found` in another way than it was: both, by name and field."""
    now = essence(found)
    result: dict[str, object] = {}
    for name in sorted(now.keys() | wanted.keys()):
        one, other = now.get(name), wanted.get(name)
        if isinstance(one, Essence) and isinstance(other, Essence):
            result |= {
                f"{name} {field}": (vars(one)[field], vars(other)[field])
                for field in vars(one)
                if vars(one)[field] != vars(other)[field]
            }
        elif one != other:
            result[name] = (one, other)
    return result
