# SPDX-License-Identifier: GPL-2.0-or-later
"""Hosts for tests by example: few words for states as the kernel has them."""

from supervdsm.network.config import Configuration, Network
from supervdsm.network.plan.planner import plan
from supervdsm.network.plan.state import Device, Ipv6, State
from supervdsm.network.plan.target import target
from unit.supervdsm.network.generators import NICS, hwaddr
from unit.supervdsm.network.plan.simulator import Kernel

NOTHING = Configuration()
ON = Ipv6(disabled=False, accept_ra=1, autoconf=True)


def nic(name: str, *, up: bool = True, mtu: int = 1500) -> Device:
    """A NIC that nobody has configured."""
    return Device(
        name=name,
        kind="nic",
        up=up,
        mtu=mtu,
        hwaddr=hwaddr(name),
        master="",
        ipv6=ON,
        addresses=(),
        qos=(),
    )


def host(*more: Device) -> State:
    """Four NICs, and more."""
    devices = [*(nic(name) for name in NICS), *more]
    return State(devices={one.name: one for one in devices}, nameservers=("192.0.2.1",))


def networks(*wanted: Network) -> Configuration:
    """A configuration of networks only."""
    return Configuration(networks={one.name: one for one in wanted})


def steps(current: State, running: Configuration, wanted: Configuration) -> list[str]:
    """What an operator reads of a change."""
    return [str(one) for one in plan(current, target(current, running, wanted))]


def reached(wanted: Configuration, *more: Device) -> Kernel:
    """A host on which a configuration was set up."""
    kernel = Kernel(host(*more))
    change(kernel, NOTHING, wanted)
    return kernel


def change(kernel: Kernel, running: Configuration, wanted: Configuration) -> list[str]:
    """Change a configuration; return the steps."""
    current = kernel.read()
    operations = plan(current, target(current, running, wanted))
    for operation in operations:
        kernel.apply(operation)
    return [str(one) for one in operations]
