# SPDX-License-Identifier: GPL-2.0-or-later
"""NICs, a bond, a VLAN and a bridge of a whole kernel, as vdsm reports them to the engine."""

from collections.abc import Iterator
from typing import Any

import pytest

from machines import Machine


@pytest.fixture(scope="module")
def caps(vm: Machine) -> Iterator[dict[str, Any]]:
    """The capabilities while a bridge lies over a VLAN over a bond of the two spare NICs."""
    vm.sh(
        "for nic in eth1 eth2; do ip link set $nic down; done;"
        "ip link add bond0 type bond mode active-backup miimon 100;"
        "ip link set eth1 master bond0; ip link set eth2 master bond0; ip link set bond0 up;"
        "ip link add link bond0 name bond0.100 type vlan id 100;"
        "ip link add ovirtmgmt type bridge; ip link set bond0.100 master ovirtmgmt up;"
        "ip link set ovirtmgmt up; ip address add 198.51.100.2/24 dev ovirtmgmt"
    )
    try:
        yield vm.client("Host", "getNetworkCapabilities")
    finally:
        vm.sh("ip link del ovirtmgmt; ip link del bond0.100; ip link del bond0")


def test_nics_are_the_machine_s(caps: dict[str, Any]) -> None:
    assert {"eth0", "eth1", "eth2"} <= set(caps["nics"])


def test_bond(caps: dict[str, Any]) -> None:
    bond = caps["bondings"]["bond0"]
    assert bond["slaves"] == ["eth1", "eth2"]
    assert bond["opts"] == {"mode": "1", "miimon": "100"}
    assert bond["active_slave"] in {"eth1", "eth2"}


def test_vlan(caps: dict[str, Any]) -> None:
    assert caps["vlans"]["bond0.100"]["vlanid"] == 100
    assert caps["vlans"]["bond0.100"]["iface"] == "bond0"


def test_bridge(caps: dict[str, Any]) -> None:
    bridge = caps["bridges"]["ovirtmgmt"]
    assert bridge["ports"] == ["bond0.100"]
    assert bridge["addr"] == "198.51.100.2"
    assert bridge["ipv4addrs"] == ["198.51.100.2/24"]
    assert bridge["opts"]["forward_delay"]


def test_statistics(vm: Machine, caps: dict[str, Any]) -> None:
    stats = vm.client("Host", "getNetworkStatistics")
    assert {"eth0", "bond0", "ovirtmgmt"} <= set(stats["network"])
    assert int(stats["network"]["eth0"]["rx"]) > 0
    assert caps["supportsIPv6"] is True


def test_hardware_info_is_dmi_s(vm: Machine) -> None:
    info = vm.client("Host", "getHardwareInfo")
    assert info["systemManufacturer"] == vm.sh("cat /sys/class/dmi/id/sys_vendor")
    uuid = vm.sh("cat /sys/class/dmi/id/product_uuid")
    assert info["systemUUID"] == uuid.upper()
    assert vm.client("Host", "getCapabilities")["uuid"].lower() == uuid
