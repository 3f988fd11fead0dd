# SPDX-License-Identifier: GPL-2.0-or-later
"""Where the other end of a veth leads to."""

import pytest

from supervdsm.network.apply.mirror import leads_back
from supervdsm.network.kernel.model import Link


def device(index: int, name: str, kind: str, master: int, lower: int) -> Link:
    return Link(index=index, name=name, kind=kind, master=master, lower=lower)


TARGET, PEER = device(1, "v0", "veth", 0, 2), device(2, "v1", "veth", 0, 1)
BRIDGE = device(9, "net", "bridge", 0, 0)


def port(link: Link, master: int) -> Link:
    return device(link.index, link.name, link.kind, master, link.lower)


@pytest.mark.parametrize(
    "links",
    [
        [TARGET, port(PEER, 9), BRIDGE],
        [TARGET, PEER, device(3, "v1.5", "vlan", 9, 2), BRIDGE],
        [TARGET, port(PEER, 4), device(4, "bond", "bond", 9, 0), BRIDGE],
        [
            TARGET,
            port(PEER, 4),
            device(4, "bond", "bond", 0, 0),
            device(5, "b.5", "vlan", 9, 4),
            BRIDGE,
        ],
        [TARGET, port(PEER, 8), device(8, "ovs-system", "openvswitch", 0, 0)],
    ],
)
def test_a_bridge_above_the_other_end_leads_back(links: list[Link]) -> None:
    assert leads_back(TARGET, links)
    assert leads_back(TARGET, links[::-1])


@pytest.mark.parametrize(
    "links",
    [
        [TARGET, PEER, BRIDGE],
        [port(TARGET, 9), PEER, BRIDGE],
        [device(1, "v0", "veth", 0, 0), BRIDGE, device(7, "eth0", "", 9, 0)],
        [TARGET, PEER, device(3, "v1.5", "vlan", 0, 2), device(4, "mv", "macvlan", 0, 3)],
    ],
)
def test_a_program_or_a_namespace_at_the_other_end_does_not(links: list[Link]) -> None:
    assert not leads_back(links[0], links)


def test_devices_above_each_other_come_to_an_end() -> None:
    assert not leads_back(
        TARGET, [TARGET, PEER, device(3, "a", "vlan", 4, 2), device(4, "b", "x", 3, 3)]
    )
