# SPDX-License-Identifier: GPL-2.0-or-later
"""A host with a thousand networks: plans grow with the change, not with the host's square."""

import sys
from collections.abc import Callable
from functools import partial
from types import FrameType

import pytest
from msgspec.structs import replace

from supervdsm.network.config import Configuration, Network
from supervdsm.network.plan.operations import Operation
from supervdsm.network.plan.planner import plan
from supervdsm.network.plan.state import State
from supervdsm.network.plan.target import target
from unit.supervdsm.network.plan.hosts import NOTHING, host, networks, nic
from unit.supervdsm.network.plan.simulator import Kernel

FEW, MANY = 200, 800
LINEAR = 1.1 * MANY / FEW


def many(count: int, base: str = "eth0", first: int = 1) -> list[Network]:
    """Networks as in oVirt's own measurement: VLANs and bridges without addresses."""
    return [
        Network(name=f"net{number}", nic=base, vlan=number)
        for number in range(first, first + count)
    ]


def calls(function: Callable[[], object]) -> int:
    """Count the calls of Python functions: unlike seconds, they are the same each time."""
    found = 0

    def count(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal found
        found += event in {"call", "c_call"}

    sys.setprofile(count)
    try:
        function()
    finally:
        sys.setprofile(None)
    return found


def configured(wanted: Configuration) -> State:
    """Return the state with these networks, without the simulator's own slowness."""
    current = host()
    there = target(current, NOTHING, wanted)
    reached = Kernel(State(devices=current.devices | there.devices)).read()
    assert plan(reached, there) == []
    return reached


def planned(current: State, running: Configuration, wanted: Configuration) -> list[Operation]:
    return plan(current, target(current, running, wanted))


@pytest.mark.parametrize("edit", ["add", "move", "remove", "raise MTU"])
def test_work_and_plans_grow_with_the_number_of_networks(edit: str) -> None:
    work, sizes = [], []
    for count in (FEW, MANY):
        here = networks(*many(count))
        ways = {
            "add": (host(), NOTHING, here),
            "move": (configured(here), here, networks(*many(count, "eth1"))),
            "remove": (configured(here), here, NOTHING),
            "raise MTU": (
                configured(here),
                here,
                networks(
                    *(Network(name=n.name, nic=n.nic, vlan=n.vlan, mtu=9000) for n in many(count))
                ),
            ),
        }
        current, running, wanted = ways[edit]
        work.append(calls(partial(planned, current, running, wanted)))
        sizes.append(len(planned(current, running, wanted)))
    assert work[1] <= LINEAR * work[0]
    assert sizes[1] <= LINEAR * sizes[0]


def test_work_grows_with_the_number_of_nics_too() -> None:
    work = []
    for count in (FEW, MANY):
        names = [f"nic{number}" for number in range(count)]
        current = State(devices={name: replace(nic("eth0"), name=name) for name in names})
        wanted = networks(*(Network(name=f"net{one}", nic=one) for one in names))
        work.append(calls(partial(planned, current, NOTHING, wanted)))
    assert work[1] <= LINEAR * work[0]


@pytest.mark.parametrize(
    "changed",
    [
        Network(name="net7", nic="eth0", vlan=7, mtu=9000),
        Network(name="net7", nic="eth1", vlan=7),
        Network(name="net7", nic="eth0", vlan=4000, bridged=False),
        Network(name="net7", nic="eth0", vlan=7, ipaddr="192.0.2.7", netmask="255.255.255.0"),
    ],
    ids=["MTU", "NIC", "VLAN", "address"],
)
def test_changing_one_of_a_thousand_networks_takes_a_handful_of_operations(
    changed: Network,
) -> None:
    running = networks(*many(1000))
    wanted = Configuration(networks=dict(running.networks) | {"net7": changed})
    current = configured(running)
    there = target(current, running, wanted)
    assert there.devices.keys() <= {"eth0", "eth1", "net7", changed.southbound}
    assert 1 <= len(plan(current, there)) <= 9
