# SPDX-License-Identifier: GPL-2.0-or-later
"""Changes of networks by a real supervdsm on a real kernel, seen by ip(8) and in its files."""

import os
import time
from collections.abc import Iterator
from typing import Any

import pytest

from faults.kernel_dump import difference
from faults.network_host import Host, eventually, network_host
from vdsm_contract.errors import Busy, NetworkChangeFailed, NetworkConfigError

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root for a network namespace")

NETWORKS: dict[str, Any] = {
    "ovirtmgmt": {
        "nic": "nic0",
        "defaultRoute": True,
        "ipaddr": "10.0.1.2",
        "netmask": "255.255.255.0",
        "gateway": "10.0.1.1",
    },
    "storage": {"nic": "nic1", "bridged": False, "ipaddr": "10.0.2.2", "prefix": "24"},
}


@pytest.fixture
def host() -> Iterator[Host]:
    with network_host() as made:
        made.start()
        yield made


def test_a_change_is_in_the_kernel_and_in_the_running_configuration(host: Host) -> None:
    host.setup(NETWORKS)
    seen = host.dump()
    assert seen["links"]["nic0"]["master"] == "ovirtmgmt"
    assert '"local": "10.0.1.2", "prefixlen": 24' in seen["addresses"]["ovirtmgmt"][0]
    assert any('"gateway": "10.0.1.1", "dev": "ovirtmgmt"' in route for route in seen["routes"])
    assert set(host.stored()) == {"staging/nets/ovirtmgmt", "staging/nets/storage"}


def test_what_runs_is_persistent_when_it_is_called_safe(host: Host) -> None:
    host.setup(NETWORKS)
    with host.client() as client:
        client.network.set_safe_network_config()
    stored = host.stored()
    assert stored["persistence/nets/storage"] == stored["staging/nets/storage"]


def test_a_plan_touches_nothing(host: Host) -> None:
    before = host.dump()
    with host.client() as client:
        planned = client.network.plan_networks(NETWORKS, {}, {}).operations
    assert "create bridge ovirtmgmt" in planned
    assert difference(before, host.dump()) == []
    assert not (host.directory / "state").exists()


def test_a_second_change_is_refused_while_the_first_waits(host: Host) -> None:
    waiting = host.begin_setup(NETWORKS, connectivityTimeout=30)
    eventually(lambda: "ovirtmgmt" in host.devices())
    with pytest.raises(Busy):
        host.setup({"other": {"nic": "nic2"}})
    # Reading goes on meanwhile.
    with host.client() as client:
        assert "ovirtmgmt" in client.network.network_caps().bridges
        client.network.confirm_connectivity(time.monotonic())
    assert waiting() is None


@pytest.mark.parametrize(
    ("networks", "code"),
    [
        ({"a": {"nic": "nic9"}}, 23),
        ({"a": {"nic": "nic2", "vlan": 5000}}, 26),
        ({"a": {"nic": "nic2", "ipaddr": "10.0.0.300", "netmask": "255.0.0.0"}}, 22),
        ({"a name": {"nic": "nic2"}}, 27),
        ({"a": {"nic": "nic2"}, "b": {"nic": "nic2"}}, 21),
        ({"a": {"remove": True}}, 27),
        ({"a": []}, 21),
    ],
)
def test_a_bad_request_leaves_kernel_and_files_as_they_are(
    host: Host, networks: dict[str, Any], code: int
) -> None:
    host.setup(NETWORKS)
    before, stored = host.dump(), host.stored()
    with pytest.raises(NetworkConfigError) as caught:
        host.setup(networks)
    assert caught.value.errCode == code
    assert difference(before, host.dump()) == []
    assert host.stored() == stored


def test_what_the_kernel_refuses_is_told_and_undone(host: Host) -> None:
    host.setup(NETWORKS)
    before, stored = host.dump(), host.stored()
    # A gateway that is the host's own address: it passes every rule, and the kernel says no.
    bad = {"nic": "nic2", "ipaddr": "10.0.3.2", "prefix": 24, "gateway": "10.0.1.2"}
    with pytest.raises((NetworkChangeFailed, NetworkConfigError)):
        host.setup({"bad": bad, "storage": {"remove": True}})
    assert difference(before, host.dump()) == []
    assert host.stored() == stored


def test_a_directory_that_cannot_be_written_prevents_the_change(host: Host) -> None:
    state = host.directory / "state"
    state.mkdir()
    (state / "staging").mkdir(mode=0o755)
    os.chown(state / "staging", 36, 36)
    before = host.dump()
    with pytest.raises(NetworkChangeFailed, match="the network is as it was"):
        host.setup(NETWORKS)
    assert difference(before, host.dump()) == []


def test_a_nic_s_own_addresses_come_back_as_they_were(host: Host) -> None:
    """Without a broadcast address, with one of its own, and with a peer."""
    host.ip(
        "addr add 10.0.7.2/24 dev nic2",
        "addr add 10.0.8.2/24 brd 10.0.8.127 dev nic2",
        "addr add 10.0.9.2/24 brd + dev nic2",
        "addr add 10.0.6.1 peer 10.0.6.2/32 dev nic2",
        "addr add 2001:db8:6::1 peer 2001:db8:6::2/128 dev nic2",
    )
    before = host.dump()
    assert '"address": "10.0.6.2"' in str(before["addresses"]["nic2"])
    with pytest.raises(NetworkConfigError) as caught:
        host.setup({"taker": {"nic": "nic2"}}, connectivityCheck=True, connectivityTimeout=1)
    assert caught.value.errCode == 10
    assert difference(before, host.dump()) == []
    # And when it stays, none of them does.
    host.setup({"taker": {"nic": "nic2"}})
    assert host.dump()["addresses"]["nic2"] == []
