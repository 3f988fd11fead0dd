# SPDX-License-Identifier: GPL-2.0-or-later
"""What the checks of a request need to know of the kernel: devices, and who uses them. No I/O."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from supervdsm.network.plan.state import Kind, State


@dataclass(frozen=True, slots=True)
class KernelBond:
    """A bond that exists."""

    nics: tuple[str, ...]
    """Sorted."""
    options: Mapping[str, str]
    """By their names in sysfs, as numbers, addresses or device names."""
    hwaddr: str


@dataclass(frozen=True, slots=True)
class Facts:
    """What exists, by name."""

    kinds: Mapping[str, Kind] = field(default_factory=dict)
    masters: Mapping[str, str] = field(default_factory=dict)
    """By port: its bridge or bond."""
    vlans: Mapping[tuple[str, int], str] = field(default_factory=dict)
    """By device below and id: the VLAN's name."""
    vlans_on: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By device below: the names of its VLANs."""
    bonds: Mapping[str, KernelBond] = field(default_factory=dict)
    nameservers: tuple[str, ...] = ()
    """The host's, of resolv.conf."""

    @staticmethod
    def of(state: State) -> "Facts":
        """Return the facts of a state that was read from the kernel."""
        ports: dict[str, list[str]] = defaultdict(list)
        vlans_on: dict[str, list[str]] = defaultdict(list)
        vlans: dict[tuple[str, int], str] = {}
        for name, device in state.devices.items():
            if device.master:
                ports[device.master].append(name)
            if device.kind == "vlan":
                vlans[device.lower, device.vlan] = name
                vlans_on[device.lower].append(name)
        return Facts(
            kinds={name: device.kind for name, device in state.devices.items()},
            masters={port: master for master, found in ports.items() for port in found},
            vlans=vlans,
            vlans_on={lower: tuple(sorted(found)) for lower, found in vlans_on.items()},
            bonds={
                name: KernelBond(
                    nics=tuple(sorted(ports[name])),
                    options=device.options or {},
                    hwaddr=device.hwaddr or "",
                )
                for name, device in state.devices.items()
                if device.kind == "bond"
            },
            nameservers=state.nameservers or (),
        )
