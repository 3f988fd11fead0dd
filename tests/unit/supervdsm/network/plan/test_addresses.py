# SPDX-License-Identifier: GPL-2.0-or-later
"""The order of IPv4 addresses, for any two lists that the kernel can have."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from supervdsm.network.plan.addresses import inserted, misplaced
from supervdsm.network.plan.operations import AddAddress
from supervdsm.network.plan.planner import plan
from supervdsm.network.plan.state import Address, State
from unit.supervdsm.network.plan.hosts import host, nic
from unit.supervdsm.network.plan.simulator import Kernel

CIDRS = [
    "192.0.2.1/24",
    "192.0.2.2/24",
    "192.0.2.3/24",
    "192.0.2.4/25",
    "198.51.100.1/24",
    "198.51.100.2/24",
    "203.0.113.1/32",
]


def in_kernel(cidrs: list[str]) -> tuple[Address, ...]:
    """Return addresses in the order that the kernel has after they were added."""
    kernel = Kernel(host())
    for cidr in cidrs:
        kernel.apply(AddAddress("eth0", Address(cidr)))
    return tuple(kernel.links["eth0"].addresses4)


ADDRESSES = st.lists(st.sampled_from(CIDRS), unique=True).map(in_kernel)


@given(ADDRESSES, ADDRESSES, st.booleans())
def test_any_order_is_reached_in_one_round(
    found: tuple[Address, ...], wanted: tuple[Address, ...], promote: bool
) -> None:
    kernel = Kernel(host(replace(nic("eth0"), addresses=found)), promote=promote)
    there = State(devices={"eth0": replace(nic("eth0"), addresses=wanted)})
    for operation in plan(kernel.read(), there):
        kernel.apply(operation)
    assert tuple(kernel.links["eth0"].addresses4) == wanted


@given(ADDRESSES, st.sampled_from(CIDRS))
def test_the_kernels_order_is_foreseen(found: tuple[Address, ...], cidr: str) -> None:
    kernel = Kernel(host(replace(nic("eth0"), addresses=found)))
    kernel.apply(AddAddress("eth0", Address(cidr)))
    if Address(cidr) not in found:
        assert inserted(found, Address(cidr)) == tuple(kernel.links["eth0"].addresses4)


def test_an_address_that_is_added_behind_the_others_moves_none() -> None:
    first, second, other = (Address(CIDRS[number]) for number in (0, 1, 4))
    assert misplaced([first, second], [first, other, second]) == []
    assert misplaced([first], [second, first]) == [first]
