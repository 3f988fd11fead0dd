# SPDX-License-Identifier: GPL-2.0-or-later
"""Which networks are looked at once more because a change during the upgrade touched them."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from vdsm_contract.types import NetworkPlan
from vdsm_tool.errors import ToolError
from vdsm_tool.host import Host
from vdsm_tool.net import ask
from vdsm_tool.net.stored import Attributes, Configuration
from vdsm_tool.upgrade import settled
from vdsm_tool.upgrade.snapshot import Snapshot

NOTHING = Snapshot([], [])
RUNNING: Configuration = {
    ("network", "red"): {"nic": "eth0", "mtu": 9000},
    ("network", "tagged"): {"bonding": "bond0", "vlan": 7},
    ("network", "alone"): {},
    ("bond", "bond0"): {"nics": ["eth1", "eth2"], "options": "mode=4"},
    ("device", "eth0"): {"numvfs": 4},
}


@pytest.mark.parametrize(
    ("device", "networks", "bonds"),
    [
        ("red", {"red"}, set()),
        ("eth0", {"red"}, set()),
        ("bond0", {"tagged"}, {"bond0"}),
        ("eth2", set(), {"bond0"}),
        ("alone", {"alone"}, set()),
        ("eth9", set(), set()),
    ],
)
def test_networks_and_bonds_that_have_the_device(
    device: str, networks: set[str], bonds: set[str]
) -> None:
    found: tuple[dict[str, Attributes], dict[str, Attributes]] = settled.concerned(
        {device}, RUNNING
    )
    assert (set(found[0]), set(found[1])) == (networks, bonds)


def test_of_devices_that_no_network_has_any_more_nothing_is_left_to_do(host: Host) -> None:
    assert settled.undone({"eth9"}, NOTHING, NOTHING, host) == []


def test_a_supervdsm_that_cannot_be_asked_is_no_good_news(
    host: Host, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    nets = host.path("/var/lib/vdsm/staging/netconf/nets")
    nets.mkdir(parents=True)
    (nets / "red").write_text(json.dumps({"nic": "eth0"}))
    monkeypatch.setattr(settled, "SUPERVDSM_SOCKET", tmp_path / "none.sock")
    with pytest.raises(ToolError, match="there is no socket"):
        settled.undone({"eth0"}, NOTHING, NOTHING, host)


BEFORE = [
    "address 192.0.2.7/24 on ovirtmgmt",
    "address 2001:db8::7/128 on ovirtmgmt",
    "route to 0.0.0.0/0 via 192.0.2.1 on ovirtmgmt in table 254",
    "address 198.51.100.7/24 on bond0.7",
]
MANAGEMENT: Attributes = {"nic": "eth0", "bridged": True, "bootproto": "dhcp", "dhcpv6": True}
DEFAULT: Attributes = {**MANAGEMENT, "defaultRoute": True}
TAGGED: Attributes = {"bonding": "bond0", "vlan": 7, "bridged": False, "bootproto": "dhcp"}
ADDRESS4 = "The network ovirtmgmt had an IPv4 address, and DHCP gives it none"
ADDRESS6 = "The network ovirtmgmt had an IPv6 address, and DHCP gives it none"
ROUTE4 = "The network ovirtmgmt had an IPv4 default route, and DHCP gives it none"


@pytest.mark.parametrize(
    ("network", "after", "told"),
    [
        (DEFAULT, BEFORE, []),
        (DEFAULT, [], [ADDRESS4, ADDRESS6, ROUTE4]),
        (DEFAULT, BEFORE[:2], [ROUTE4]),
        (DEFAULT, ["address 192.0.2.7/24 on other", *BEFORE[1:]], [ADDRESS4]),
        (DEFAULT, ["address 192.0.2.99/24 on ovirtmgmt", *BEFORE[1:]], []),
        (DEFAULT, [*BEFORE[:2], BEFORE[2].replace("254", "7")], [ROUTE4]),
        (MANAGEMENT, [], [ADDRESS4, ADDRESS6]),
        (MANAGEMENT | {"dhcpv6": False}, [], [ADDRESS4]),
        # A plan asks for what is static.
        (DEFAULT | {"bootproto": "none", "dhcpv6": False}, [], []),
    ],
)
def test_a_network_with_dhcp_that_had_an_address_must_have_one(
    network: Attributes, after: list[str], told: list[str]
) -> None:
    assert list(settled.unlearned({"ovirtmgmt": network}, BEFORE, after)) == told
    assert list(settled.unlearned({"ovirtmgmt": network}, [], after)) == []


def test_without_a_bridge_the_address_is_on_what_carries_the_network() -> None:
    [problem] = settled.unlearned({"tagged": TAGGED}, BEFORE, BEFORE[:3])
    assert problem == "The network tagged had an IPv4 address, and DHCP gives it none"
    bridged = TAGGED | {"bridged": True}
    after = ["address 198.51.100.7/24 on tagged"]
    assert list(settled.unlearned({"tagged": TAGGED}, BEFORE, BEFORE)) == []
    assert list(settled.unlearned({"tagged": bridged}, BEFORE, after)) == []
    assert len(list(settled.unlearned({"tagged": bridged}, BEFORE, BEFORE))) == 1


def test_what_dhcp_does_not_give_any_more_is_told_where_no_plan_asks_for_it(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Room:
        def plan_networks(self, *_: object) -> NetworkPlan:
            return NetworkPlan(operations=[])

    @contextmanager
    def network(_path: Path) -> Iterator[Room]:
        yield Room()

    monkeypatch.setattr(ask, "network", network)
    nets = host.path("/var/lib/vdsm/staging/netconf/nets")
    nets.mkdir(parents=True)
    (nets / "ovirtmgmt").write_text(json.dumps(DEFAULT))
    before = Snapshot([], BEFORE)
    assert settled.undone({"eth0"}, before, before, host) == []
    assert settled.undone({"eth0"}, before, NOTHING, host) == [ADDRESS4, ADDRESS6, ROUTE4]
    assert settled.undone({"eth1"}, before, NOTHING, host) == []
