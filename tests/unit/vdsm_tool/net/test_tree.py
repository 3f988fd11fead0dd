# SPDX-License-Identifier: GPL-2.0-or-later
"""Which device is shown below which."""

from unit.vdsm_tool.net.answers import caps, stats
from vdsm_contract.types import NetworkCapabilities
from vdsm_tool.net.tree import Device, Forest, forest


def shown(found: Forest | None = None) -> Forest:
    return found or forest(caps(), stats())


def names(device: Device) -> list[str]:
    """A device's name and those below it, indented by their depth."""
    return [device.name, *(f" {name}" for low in device.lower for name in names(low))]


def test_a_network_goes_down_to_its_nics() -> None:
    management, _ = shown().networks
    assert names(management.device) == [
        "ovirtmgmt",
        " bond0.100",
        "  bond0",
        "   eth0",
        "   eth1",
        " vnet0",
    ]


def test_each_device_says_what_it_is_and_how_it_does() -> None:
    management, storage = shown().networks
    vlan, tap = management.device.lower
    (bond,) = vlan.lower
    _, spare = bond.lower
    assert (vlan.kind, vlan.detail) == ("vlan", {"id": "100"})
    assert bond.detail == {"miimon": "100", "mode": "1", "active": "eth0"}
    assert (spare.state, spare.detail) == ("down", {"hwaddr": "52:54:00:00:00:02"})
    assert (tap.kind, tap.state, tap.mtu) == ("other", "unknown", "")
    assert storage.device.kind == "nic"
    assert storage.device.detail["speed"] == "10000 Mbit/s"


def test_addresses_stand_at_the_network_and_not_again_at_its_device() -> None:
    management, _ = shown().networks
    assert management.addresses.ipv4 == ["192.0.2.2/24"]
    assert (management.addresses.gateway, management.addresses.ipv6gateway) == ("192.0.2.1", "")
    assert management.device.addresses is None


def test_devices_of_no_network_are_shown_once_each_below_its_own() -> None:
    (bridge,) = shown().others
    assert names(bridge) == ["virbr0", " eth3"]
    assert bridge.addresses is not None
    assert bridge.addresses.ipv4 == ["203.0.113.1/24"]


def test_answers_that_make_a_circle_end() -> None:
    circle = caps()
    circle.bridges["virbr0"].ports = ["bond0.100"]
    circle.vlans["bond0.100"].iface = "virbr0"
    found = forest(circle, stats())
    assert names(found.networks[0].device)[:3] == ["ovirtmgmt", " bond0.100", "  virbr0"]


def test_a_host_without_networks() -> None:
    nothing = NetworkCapabilities({}, {}, {}, {}, {}, [], supportsIPv6=False)
    assert forest(nothing, stats()) == Forest([], [])
