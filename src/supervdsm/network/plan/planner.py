# SPDX-License-Identifier: GPL-2.0-or-later
"""`plan(current, target)`: the operations that lead from what is to what shall be.

It knows no history. Whatever state a change was left in, by a crash or by an error, the same
function leads from there to the new configuration or back to the old one. The order of the stages
is one that the kernel accepts at every step; why, is said with each of them. `forecast.py` keeps
account of what the kernel does by itself on the way. No I/O.
"""

from supervdsm.network.plan import devices
from supervdsm.network.plan import operations as op
from supervdsm.network.plan.feasible import feasible
from supervdsm.network.plan.forecast import Forecast
from supervdsm.network.plan.layer3 import Layer3
from supervdsm.network.plan.state import State


def plan(current: State, target: State) -> list[op.Operation]:
    """Return the operations, none when `current` is as `target` asks for.

    What can never be reached (`feasible.unreachable`) is left out.
    """
    target = feasible(current, target)
    forecast = Forecast(current)
    going = devices.doomed(forecast, target)
    layer3 = Layer3(forecast, current, target)

    layer3.remove(going)
    devices.release_ports(forecast, target, going)
    devices.delete(forecast, going)
    devices.lower_mtus(forecast, target)
    # A port takes its bond's MTU and is opened by it: bonds first, then what is above them.
    devices.bonds(forecast, target)
    devices.raise_mtus(forecast, target, devices.BELOW_BRIDGES)
    # A VLAN can be made as the port of a bridge in one step if the bridge is there.
    devices.bridges(forecast, target)
    devices.vlans(forecast, target)
    devices.take_ports(forecast, target)
    devices.raise_mtus(forecast, target)
    devices.set_hwaddrs(forecast, target)
    devices.set_ipv6(forecast, target)
    devices.set_up(forecast, target)
    layer3.add()
    devices.set_qos(forecast, target)
    if target.nameservers is not None and target.nameservers != forecast.nameservers:
        forecast.do(op.SetNameservers(target.nameservers))
    return [
        *_stop_clients(current, target, forecast.disturbed),
        *forecast.operations,
        *_start_clients(current, target, forecast.disturbed),
    ]


def _stop_clients(current: State, target: State, disturbed: set[str]) -> list[op.Operation]:
    """DHCP clients stop first: one whose device changes below it would undo what is done."""
    return [
        op.StopDhcp(name)
        for name in sorted(current.dhcp)
        if name in target.absent
        or (name in target.devices and (name not in target.dhcp or name in disturbed))
    ]


def _start_clients(current: State, target: State, disturbed: set[str]) -> list[op.Operation]:
    """One that runs and shall do something else is told so, and keeps its addresses meanwhile."""
    return [
        op.StartDhcp(name, client)
        for name, client in sorted(target.dhcp.items())
        if name in target.devices and (name in disturbed or current.dhcp.get(name) != client)
    ]
