# SPDX-License-Identifier: GPL-2.0-or-later
"""What holds for every plan: it arrives, the kernel refuses none of its steps, and it leads back.

The kernel here is `simulator.py`; `tests/process` asks the same of the real one.
"""

import copy
import os
from collections.abc import Sequence
from contextlib import suppress

from hypothesis import given, settings
from hypothesis import strategies as st

from supervdsm.network.config import Configuration
from supervdsm.network.plan.feasible import unreachable
from supervdsm.network.plan.operations import DeleteDevice, Operation
from supervdsm.network.plan.planner import plan
from supervdsm.network.plan.state import State
from supervdsm.network.plan.target import target
from unit.supervdsm.network.generators import NICS, configurations, hosts
from unit.supervdsm.network.plan.essence import differences, essence
from unit.supervdsm.network.plan.simulator import Kernel, Refused

NOTHING = Configuration()
EXAMPLES = settings(max_examples=int(os.environ.get("PLAN_EXAMPLES", "50")))
"""More than in `make check` are worth their time when the planner changes."""


def run(kernel: Kernel, operations: Sequence[Operation], *, orderly: bool = True) -> None:
    """Apply operations; the kernel refuses none, and each leaves MTUs in order."""
    for operation in operations:
        kernel.apply(operation)
        if orderly:
            check_mtus(kernel, operation)


def check_mtus(kernel: Kernel, after: object) -> None:
    """No VLAN has a larger MTU than what is below it, no port another one than its bond, and no
    bridge a larger one than its port.
    """
    for link in kernel.links.values():
        if link.lower:
            assert link.mtu <= kernel.links[link.lower].mtu, after
        if link.master and kernel.links[link.master].kind == "bond":
            assert link.mtu == kernel.links[link.master].mtu, after
        elif link.master:
            assert link.mtu >= kernel.links[link.master].mtu, after


def arrive(kernel: Kernel, wanted: State, *, orderly: bool = True) -> None:
    """Go to a target in one round. `orderly`: MTUs are in order where it begins."""
    run(kernel, plan(kernel.read(), wanted), orderly=orderly)
    assert plan(kernel.read(), wanted) == []
    check_mtus(kernel, wanted)


def move(kernel: Kernel, running: Configuration, wanted: Configuration) -> tuple[State, State]:
    """Change the configuration; return the target, and the way back as the journal has it."""
    current = kernel.read()
    there = target(current, running, wanted)
    back = current.restricted(there.devices.keys() | there.absent)
    arrive(kernel, there)
    return there, back


@EXAMPLES
@given(hosts(), configurations(), st.booleans())
def test_a_configuration_is_reached_in_one_round_and_nothing_is_refused(
    host: State, wanted: Configuration, promote: bool
) -> None:
    move(Kernel(host, promote=promote), NOTHING, wanted)


@EXAMPLES
@given(hosts(), st.lists(configurations(), min_size=2, max_size=4), st.booleans())
def test_any_path_of_configurations_arrives(
    host: State, path: list[Configuration], promote: bool
) -> None:
    kernel = Kernel(host, promote=promote)
    running = NOTHING
    for wanted in path:
        move(kernel, running, wanted)
        running = wanted


@EXAMPLES
@given(hosts(), configurations(), configurations(), st.booleans())
def test_the_way_back_leads_to_where_it_began(
    host: State, running: Configuration, wanted: Configuration, promote: bool
) -> None:
    kernel = Kernel(host, promote=promote)
    move(kernel, NOTHING, running)
    before = essence(kernel.read())
    _, back = move(kernel, running, wanted)
    arrive(kernel, back)
    assert differences(kernel.read(), before) == {}


@EXAMPLES
@given(hosts(), configurations(), configurations(), st.data())
def test_from_wherever_a_change_was_cut_off_there_is_a_way_back_and_a_way_on(
    host: State, running: Configuration, wanted: Configuration, data: st.DataObject
) -> None:
    kernel = Kernel(host)
    move(kernel, NOTHING, running)
    current = kernel.read()
    before = essence(current)
    there = target(current, running, wanted)
    back = current.restricted(there.devices.keys() | there.absent)
    operations = plan(current, there)
    run(kernel, operations[: data.draw(st.integers(0, len(operations)))])

    arrive(on := copy.deepcopy(kernel), there)
    arrive(kernel, back)
    assert differences(kernel.read(), before) == {}
    run(kernel, operations)
    # A bridge or VLAN that was given an address once does not follow others any more.
    assert [
        name for name in differences(on.read(), essence(kernel.read())) if not _is_hwaddr(name)
    ] == []


@EXAMPLES
@given(hosts(), configurations(), configurations(), st.data())
def test_there_is_a_way_back_when_operations_failed_and_later_ones_were_done(
    host: State, running: Configuration, wanted: Configuration, data: st.DataObject
) -> None:
    kernel = Kernel(host)
    move(kernel, NOTHING, running)
    current = kernel.read()
    before = essence(current)
    there = target(current, running, wanted)
    for operation in plan(current, there):
        if data.draw(st.booleans()):
            with suppress(Refused):
                kernel.apply(operation)

    arrive(kernel, current.restricted(there.devices.keys() | there.absent), orderly=False)
    assert differences(kernel.read(), before) == {}


@EXAMPLES
@given(hosts(), configurations(), configurations(), st.data())
def test_a_nic_that_is_pulled_out_does_not_hold_up_the_rest(
    host: State, running: Configuration, wanted: Configuration, data: st.DataObject
) -> None:
    kernel = Kernel(host)
    move(kernel, NOTHING, running)
    current = kernel.read()
    before = essence(current)
    there = target(current, running, wanted)
    operations = plan(current, there)
    run(kernel, operations[: data.draw(st.integers(0, len(operations)))])
    gone = data.draw(st.sampled_from(NICS))
    kernel.unplug(gone)

    arrive(copy.deepcopy(kernel), there, orderly=False)
    back = current.restricted(there.devices.keys() | there.absent)
    arrive(kernel, back, orderly=False)
    lost = unreachable(kernel.read(), back)
    assert lost <= {gone} | {name for name in back.devices if back.devices[name].lower}
    # A bond can have no primary port that is not there.
    names = back.devices.keys() - lost
    found = [name.partition(" ") for name in differences(kernel.read(), before)]
    assert not [name for name, _, field in found if name in names and field != "options"]


@EXAMPLES
@given(hosts(), configurations(), configurations())
def test_what_the_target_does_not_name_is_not_touched(
    host: State, running: Configuration, wanted: Configuration
) -> None:
    kernel = Kernel(host)
    move(kernel, NOTHING, running)
    before = essence(kernel.read())
    there, _ = move(kernel, running, wanted)
    changed = {name.partition(" ")[0] for name in differences(kernel.read(), before)}
    others = {"routes", "rules", "clients", "resolv.conf"}
    assert changed <= there.devices.keys() | there.absent | others


@EXAMPLES
@given(hosts(), configurations())
def test_removing_all_leaves_the_nics_up_without_anything_of_ours(
    host: State, running: Configuration
) -> None:
    kernel = Kernel(host)
    move(kernel, NOTHING, running)
    used = {network.nic for network in running.networks.values() if network.nic}
    used.update(nic for bond in running.bonds.values() for nic in bond.nics)
    move(kernel, running, NOTHING)

    after = kernel.read()
    assert after.devices.keys() == host.devices.keys()
    assert after.dhcp == {}
    assert after.rules == frozenset()
    for nic in used:
        device = after.devices[nic]
        assert (device.up, device.mtu, device.master) == (True, 1500, "")
        assert device.hwaddr == host.devices[nic].hwaddr
        assert device.qos == ()


@EXAMPLES
@given(hosts(), configurations(with_dhcp=False), configurations(with_dhcp=False), st.data())
def test_a_named_network_is_mended_even_if_its_configuration_is_unchanged(
    host: State, running: Configuration, other: Configuration, data: st.DataObject
) -> None:
    kernel = Kernel(host)
    move(kernel, NOTHING, running)
    before = essence(kernel.read())
    # Damage: a part of the way to some other configuration.
    for operation in plan(kernel.read(), target(kernel.read(), running, other)):
        if data.draw(st.booleans()):
            with suppress(Refused):
                kernel.apply(operation)
    for name in kernel.links.keys() - before.keys():
        # Not ours, so a network would make room for it.
        with suppress(Refused):
            kernel.apply(DeleteDevice(name))

    names = running.networks.keys() | running.bonds.keys()
    there = target(kernel.read(), running, running, named=names)
    arrive(kernel, there, orderly=False)
    changed = differences(kernel.read(), before)
    assert {name for name in changed if _is_configured(name, running)} == set()


def _is_configured(difference: str, running: Configuration) -> bool:
    """Not a hardware address, a bridge's further options, IP on a bond that carries only VLANs."""
    name, _, field = difference.partition(" ")
    if name in running.bonds:
        return field == "options"
    ifaces = {network.iface for network in running.networks.values()}
    return name in ifaces and field not in {"hwaddr", "options"}


def _is_hwaddr(name: str) -> bool:
    return name.endswith(" hwaddr")
