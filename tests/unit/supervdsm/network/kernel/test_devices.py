# SPDX-License-Identifier: GPL-2.0-or-later
"""Which devices oVirt shows."""

import pytest

from supervdsm.network.kernel.devices import NicPatterns, Role, role
from supervdsm.network.kernel.model import Link

DEFAULT = NicPatterns()


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        (Link(1, "lo"), None),
        (Link(1, "eno1", physical=True), Role.NIC),
        (Link(1, "eno1", physical=True, master=5), Role.NIC),
        (Link(1, "ib0", kind="ipoib", physical=True), Role.NIC),
        (Link(1, "wlan0", physical=True), None),
        (Link(1, "usb0", physical=True), None),
        (Link(1, "eth0", kind="veth"), None),
        (Link(1, "veth_a", kind="veth"), Role.NIC),
        (Link(1, "dummy_1", kind="dummy"), Role.NIC),
        (Link(1, "dummy_1", kind="tun"), None),
        (Link(1, "vnet0", kind="tun"), None),
        (Link(1, "ovs-system", kind="openvswitch"), None),
        (Link(1, "vxlan_sys_4789", kind="vxlan"), None),
        (Link(1, "ovirtmgmt", kind="bridge"), Role.BRIDGE),
        (Link(1, "bond0", kind="bond"), Role.BOND),
        (Link(1, "eno1.100", kind="vlan", lower=2), Role.VLAN),
        (Link(1, "eno1.100", kind="vlan"), None),
    ],
)
def test_role(link: Link, expected: Role | None) -> None:
    assert role(link, DEFAULT) is expected


def test_a_host_that_lives_in_a_container_names_its_veths() -> None:
    patterns = NicPatterns(fake=("dummy_*", "eth*"))
    assert role(Link(1, "eth0", kind="veth"), patterns) is Role.NIC
    assert role(Link(1, "veth_a", kind="veth"), patterns) is None
