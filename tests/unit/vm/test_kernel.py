# SPDX-License-Identifier: GPL-2.0-or-later
"""What a kernel's answers are compared without: what changes by itself."""

import json

import pytest

from vm.kernel import Kernel


def read(**bridge: int) -> Kernel:
    """Read the state of a kernel with one bridge."""
    data = {"forward_delay": 200, "ageing_time": 30_000, "topology_change": 0, **bridge}
    link = {"ifname": "red", "linkinfo": {"info_kind": "bridge", "info_data": data}}
    answers = [[link], [], [], [], [], [], []]
    return Kernel.read(lambda _: "\n".join(json.dumps(one) for one in answers))


def test_a_topology_that_changes_is_no_other_bridge() -> None:
    assert read(topology_change=1, ageing_time=400) == read()


@pytest.mark.parametrize(
    "bridge",
    [
        {"ageing_time": 400},
        {"topology_change": 1, "ageing_time": 500},
        {"topology_change": 1, "ageing_time": 400, "forward_delay": 300},
    ],
)
def test_another_ageing_time_is(bridge: dict[str, int]) -> None:
    assert read(**bridge) != read()
