# SPDX-License-Identifier: GPL-2.0-or-later
"""Rounds of plan and apply: when they end, and how."""

import msgspec
import pytest

from supervdsm.network.apply.executor import OperationFailed
from supervdsm.network.plan import operations as op
from supervdsm.network.plan.state import State
from supervdsm.network.transaction.converge import (
    ROUNDS,
    Kernel,
    NotReached,
    bring_back,
    reach,
)
from unit.supervdsm.network.transaction.fakes import FakeKernel, host


def kernel_of(fake: FakeKernel) -> Kernel:
    return Kernel(fake.read, fake.apply, fake.read)


def with_mtu(state: State, mtus: dict[str, int]) -> State:
    devices = {
        name: msgspec.structs.replace(state.devices[name], mtu=mtu) for name, mtu in mtus.items()
    }
    return State(devices=devices)


def test_a_state_that_is_reached_needs_nothing() -> None:
    fake = FakeKernel()
    assert reach(kernel_of(fake), fake.state, with_mtu(fake.state, {"eth0": 1500})) == 0
    assert fake.done == []


def test_neighbours_are_told_of_what_was_reached_both_ways() -> None:
    fake = FakeKernel()
    told: list[State] = []
    kernel = Kernel(fake.read, fake.apply, fake.read, told.append)
    before, target = fake.state, with_mtu(fake.state, {"eth0": 9000})
    reach(kernel, before, before)
    bring_back(kernel, before)
    assert told == []
    reach(kernel, before, target)
    bring_back(kernel, before)
    assert told == [target, before]


def test_what_the_kernel_undoes_is_done_again() -> None:
    fake = FakeKernel()
    target = with_mtu(fake.state, {"eth0": 9000, "eth1": 9000})

    def forgets_once(number: int, operation: op.Operation) -> None:
        if number == 2:
            fake._do(op.SetMtu("eth0", 1500))

    fake.before = forgets_once
    assert reach(kernel_of(fake), fake.state, target) == 3
    assert {fake.state.devices[name].mtu for name in target.devices} == {9000}


def test_a_kernel_that_never_obeys_is_given_up() -> None:
    fake = FakeKernel()
    target = with_mtu(fake.state, {"eth0": 9000})
    deaf = Kernel(fake.read, fake.done.extend, fake.read)
    with pytest.raises(NotReached, match=f"after {ROUNDS} rounds: set MTU of eth0 to 9000"):
        reach(deaf, fake.state, target)
    assert len(fake.done) == ROUNDS


def test_a_device_that_can_never_be_there_is_named() -> None:
    fake = FakeKernel()
    target = State(devices=host("eth0", "eth9").devices)
    with pytest.raises(NotReached, match="Failed to find eth9: no such device"):
        reach(kernel_of(fake), fake.state, target)


def test_the_first_failure_ends_the_way_forward() -> None:
    fake = FakeKernel()
    fake.refuse(lambda operation: "eth0" in str(operation))
    with pytest.raises(OperationFailed):
        reach(kernel_of(fake), fake.state, with_mtu(fake.state, {"eth0": 9000, "eth1": 9000}))
    assert len(fake.done) < 2


def test_no_round_begins_when_time_is_up() -> None:
    fake = FakeKernel()

    def late() -> None:
        raise TimeoutError

    with pytest.raises(TimeoutError):
        reach(kernel_of(fake), fake.state, with_mtu(fake.state, {"eth0": 9000}), check=late)
    assert fake.done == []


def test_a_failure_does_not_hold_up_the_way_back() -> None:
    fake = FakeKernel()
    fake.refuse(lambda operation: "eth0" in str(operation))
    with pytest.raises(NotReached, match="set MTU of eth0") as caught:
        bring_back(
            kernel_of(fake), with_mtu(fake.state, {"eth0": 9000, "eth1": 9000, "eth2": 9000})
        )
    assert [str(one) for one in caught.value.left] == ["set MTU of eth0 to 9000"]
    assert {fake.state.devices[name].mtu for name in ("eth1", "eth2")} == {9000}


def test_a_nic_that_is_gone_does_not_hold_up_the_way_back() -> None:
    fake = FakeKernel()
    target = State(devices=with_mtu(fake.state, {"eth0": 9000}).devices | host("eth9").devices)
    assert bring_back(kernel_of(fake), target) == 1
    assert fake.state.devices["eth0"].mtu == 9000
