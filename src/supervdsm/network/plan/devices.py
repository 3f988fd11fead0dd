# SPDX-License-Identifier: GPL-2.0-or-later
"""The steps of a plan for devices: deleted and made, ports released and taken, MTU, options, up.

Each function is one stage, told in the order in which `planner.py` runs them; it looks at the
forecast and does only what is still missing. No I/O.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from msgspec.structs import replace

from supervdsm.network import bonding
from supervdsm.network.plan import operations as op
from supervdsm.network.plan.compare import other_options, same_ipv6, same_qos
from supervdsm.network.plan.feasible import MADE, differs
from supervdsm.network.plan.forecast import Forecast
from supervdsm.network.plan.state import Device, Kind, State

ALL_KINDS: Final[frozenset[Kind]] = frozenset({"nic", "bond", "bridge", "vlan", "other"})
BELOW_BRIDGES: Final[frozenset[Kind]] = ALL_KINDS - {"bridge"}
_NEED_MIIMON: Final = ("updelay", "downdelay", "peer_notif_delay")
"""A bond without link monitoring has them as 0, and lets nobody say so."""
_IPV6_MIN_MTU: Final = 1280
"""Below it the kernel has no IPv6 on a device."""


def doomed(forecast: Forecast, target: State) -> list[str]:
    """Return what must be deleted, uppers before lowers: what shall be absent, what must be made
    anew, and the VLANs above these.
    """
    first = [name for name in target.absent if name in forecast.devices]
    first += [
        name
        for name, device in target.devices.items()
        if name in forecast.devices and differs(device, forecast.devices[name])
    ]
    found: set[str] = set()
    while first:
        name = first.pop()
        if name not in found:
            found.add(name)
            first += forecast.vlans_on(name)
    height = heights(forecast, found)
    return sorted(found, key=lambda name: (-height[name], name))


def lower_mtus(forecast: Forecast, target: State) -> None:
    """Lower MTUs from the top, so that no VLAN is cut by the device below it, and no bridge sends
    what its port can not.
    """
    less = []
    for name, wanted in _wanted_mtus(forecast, target):
        # Where it is not known which of two it is, the larger one: the last that was set.
        found = forecast.mtu(name) or forecast.devices[name].mtu
        if found is not None and wanted < found:
            less.append(name)
    height = heights(forecast, less)
    for name in sorted(less, key=lambda name: (-height[name], name)):
        _set_mtu(forecast, target, name)


def release_ports(forecast: Forecast, target: State, going: Iterable[str]) -> None:
    """Release the ports that change their bridge or bond. One that is deleted lets go by itself."""
    gone = set(going)
    for name, device in target.devices.items():
        found = forecast.devices.get(name)
        if found is None or not found.master or device.master is None or name in gone:
            continue
        if found.master != device.master and found.master not in gone:
            forecast.do(op.SetMaster(name, ""))


def delete(forecast: Forecast, names: Iterable[str]) -> None:
    """Delete devices, in this order."""
    for name in names:
        if name in forecast.devices:
            forecast.do(op.DeleteDevice(name))


def bonds(forecast: Forecast, target: State) -> None:
    """Make bonds, set their options, and give them their ports."""
    wanted = [device for device in target.devices.values() if device.kind == "bond"]
    for bond in wanted:
        if bond.name not in forecast.devices:
            options = _settable(forecast, bond)
            # The kernel would take an address now, and then not that of the first port.
            hwaddr = None if bonding.has_active_ports_hwaddr(options) else bond.hwaddr
            forecast.do(op.CreateDevice(replace(_bare(bond), hwaddr=hwaddr, options=options)))
    taken: dict[str, str] = {
        name: device.master
        for name, device in target.devices.items()
        if forecast.is_bond(device.master) and device.master is not None
    }
    for bond in wanted:
        taken.update(_set_bond_options(forecast, bond))
    entering = [
        name
        for name in sorted(taken)
        if name in forecast.devices and forecast.devices[name].master != taken[name]
    ]
    for name in entering:
        if forecast.devices[name].up:
            forecast.do(op.SetUp(name, up=False))
    for name in entering:
        forecast.do(op.SetMaster(name, taken[name]))


def _set_bond_options(forecast: Forecast, bond: Device) -> dict[str, str]:
    """Set a bond's options; return the ports that had to leave it for that."""
    name = bond.name
    changes = bonding.changes(forecast.devices[name].options or {}, _settable(forecast, bond))
    if not changes:
        return {}
    released = {}
    if bonding.needs_no_ports(changes):
        for port in forecast.ports_of(name):
            released[port] = name
            forecast.do(op.SetMaster(port, ""))
    if bonding.needs_down(changes) and forecast.devices[name].up:
        forecast.do(op.SetUp(name, up=False))
    forecast.do(op.SetOptions(name, "bond", changes))
    return released


def _settable(forecast: Forecast, bond: Device) -> dict[str, str]:
    """Return the options that the kernel takes: one that was read may be without effect in the
    bond's mode, and is then refused. A primary port that was pulled out cannot be named.
    """
    found = bond.options or {}
    mode = found.get("mode", bonding.DEFAULT_MODE)
    left_out: set[str] = set()
    if found.get("miimon", bonding.default("miimon", mode)) == "0":
        left_out.update(_NEED_MIIMON)
    if found.get("primary") and found["primary"] not in forecast.devices:
        left_out.add("primary")
    return {
        name: found[name]
        for name, option in bonding.OPTIONS.items()
        if name in found and mode in option.modes and name not in left_out
    }


def raise_mtus(forecast: Forecast, target: State, kinds: frozenset[Kind] = ALL_KINDS) -> None:
    """Set all MTUs that are not yet as wanted, from the bottom. A bond's ports follow it."""
    rest = [
        name
        for name, wanted in _wanted_mtus(forecast, target)
        if forecast.mtu(name) != wanted and forecast.devices[name].kind in kinds
    ]
    height = heights(forecast, rest)

    def order(name: str) -> tuple[bool, int, str]:
        return (forecast.is_bond(forecast.devices[name].master), height[name], name)

    ports = [name for name in rest if order(name)[0]]
    for name in sorted((name for name in rest if name not in ports), key=order) + sorted(ports):
        _set_mtu(forecast, target, name)


def bridges(forecast: Forecast, target: State) -> None:
    """Make bridges and set the options of those that are there."""
    for device in target.devices.values():
        if device.kind != "bridge":
            continue
        if device.name not in forecast.devices:
            forecast.do(op.CreateDevice(_bare(device)))
        elif device.options:
            options = other_options(forecast.devices[device.name].options, device.options)
            if options:
                forecast.do(op.SetOptions(device.name, "bridge", options))


def vlans(forecast: Forecast, target: State) -> None:
    """Make VLANs, those on other VLANs after these, as ports of their bridges at once."""
    missing = {
        name: device
        for name, device in target.devices.items()
        if device.kind == "vlan" and name not in forecast.devices
    }
    while missing:
        ready = [device for device in missing.values() if device.lower not in missing]
        if not ready:
            break
        for device in ready:
            del missing[device.name]
            master = device.master if device.master in forecast.devices else None
            forecast.do(op.CreateDevice(replace(_bare(device), hwaddr=None, master=master or None)))


def take_ports(forecast: Forecast, target: State) -> None:
    """Give bridges the ports that they do not have yet."""
    for name, device in target.devices.items():
        found = forecast.devices.get(name)
        if found is None or not device.master or found.master == device.master:
            continue
        if device.master in forecast.devices and not forecast.is_bond(device.master):
            forecast.do(op.SetMaster(name, device.master))


def set_hwaddrs(forecast: Forecast, target: State) -> None:
    """Set hardware addresses from the bottom. Those of a bond's ports are the bond's affair."""
    wanted = {name: device.hwaddr for name, device in target.devices.items() if device.hwaddr}
    height = heights(forecast, wanted)
    for name in sorted(wanted, key=lambda name: (height[name], name)):
        found = forecast.devices.get(name)
        hwaddr = wanted[name]
        if found is None or forecast.hwaddr(name) == hwaddr or forecast.is_bond(found.master):
            continue
        if forecast.is_bond(name) and not forecast.shares_hwaddr(name):
            continue  # it has its active port's; see bonding.rst, fail_over_mac
        if found.kind == "vlan" and hwaddr == wanted.get(found.lower) and _inherits(forecast, name):
            continue
        if found.kind == "nic" and found.up:
            # Many drivers refuse it while the NIC is up.
            forecast.do(op.SetUp(name, up=False))
        forecast.do(op.SetHwaddr(name, hwaddr or ""))


def _inherits(forecast: Forecast, vlan: str) -> bool:
    """Tell whether a VLAN has the address of what is below it, be it one that is not known yet.

    To set one would end that for ever, and a bond with fail_over_mac changes its own at any time.
    """
    lower = forecast.devices.get(forecast.devices[vlan].lower)
    return lower is not None and lower.hwaddr == forecast.devices[vlan].hwaddr


def set_ipv6(forecast: Forecast, target: State) -> None:
    """Set what IPv6 does on a device, before it is up and could do something else."""
    if not _has_ipv6(forecast):
        return
    for name, device in target.devices.items():
        found = forecast.devices.get(name)
        if found is None or device.ipv6 is None or same_ipv6(found.ipv6, device.ipv6):
            continue
        if (forecast.mtu(name) or device.mtu or _IPV6_MIN_MTU) >= _IPV6_MIN_MTU:
            forecast.do(op.SetIpv6(name, device.ipv6))


def set_up(forecast: Forecast, target: State) -> None:
    """Set devices up from the bottom, then down from the top.

    What was closed on the way and is not asked to be otherwise is opened again.
    """
    wanted = {name: True for name in forecast.closed if name in forecast.devices}
    for name, device in target.devices.items():
        if device.up is not None and name in forecast.devices:
            wanted[name] = device.up
    height = heights(forecast, wanted)
    for name in sorted(wanted, key=lambda name: (height[name], name)):
        found = forecast.devices[name]
        if wanted[name] and not found.up and _can_be_up(forecast, found):
            forecast.do(op.SetUp(name, up=True))
    for name in sorted(wanted, key=lambda name: (-height[name], name)):
        if not wanted[name] and forecast.devices[name].up:
            forecast.do(op.SetUp(name, up=False))


def set_qos(forecast: Forecast, target: State) -> None:
    """Shape outbound traffic."""
    for name, device in target.devices.items():
        found = forecast.devices.get(name)
        if found is not None and device.qos is not None and not same_qos(found.qos, device.qos):
            forecast.do(op.SetQos(name, device.qos))


def heights(forecast: Forecast, names: Iterable[str]) -> Mapping[str, int]:
    """Return how many devices there are below each, counted along the longest way down."""
    found: dict[str, int] = {}

    def height(name: str) -> int:
        if name not in found:
            found[name] = 0  # Ends a loop, which the kernel would refuse.
            found[name] = max((1 + height(below) for below in _below(forecast, name)), default=0)
        return found[name]

    return {name: height(name) for name in names}


def _below(forecast: Forecast, name: str) -> list[str]:
    device = forecast.devices.get(name)
    if device is None:
        return []
    return forecast.ports_of(name) + ([device.lower] if device.lower else [])


def _wanted_mtus(forecast: Forecast, target: State) -> Iterable[tuple[str, int]]:
    for name, device in target.devices.items():
        if device.mtu is not None and name in forecast.devices:
            yield name, device.mtu


def _set_mtu(forecast: Forecast, target: State, name: str) -> None:
    wanted = target.devices[name].mtu
    if wanted is not None and forecast.mtu(name) != wanted:
        forecast.do(op.SetMtu(name, wanted))


def _bare(device: Device) -> Device:
    """Return what CreateDevice cares for."""
    return Device(
        name=device.name,
        kind=device.kind,
        mtu=device.mtu,
        hwaddr=device.hwaddr,
        lower=device.lower,
        vlan=device.vlan,
        options=device.options,
    )


def _can_be_up(forecast: Forecast, device: Device) -> bool:
    lower = forecast.devices.get(device.lower)
    return lower is None or bool(lower.up)


def _has_ipv6(forecast: Forecast) -> bool:
    """Tell whether the kernel has IPv6: then some device has it, be it only `lo`."""
    known = [device for device in forecast.devices.values() if device.kind not in MADE]
    return not known or any(device.ipv6 is not None for device in known)
