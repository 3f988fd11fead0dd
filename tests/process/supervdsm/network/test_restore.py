# SPDX-License-Identifier: GPL-2.0-or-later
"""Networks come back when the host boots: before READY, once, as far as they can."""

import json
import os
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from faults.kernel_dump import difference
from faults.network_host import Died, Host, eventually, network_host

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root for a network namespace")

NETWORKS: dict[str, Any] = {
    "ovirtmgmt": {
        "nic": "nic0",
        "defaultRoute": True,
        "ipaddr": "10.0.1.2",
        "netmask": "255.255.255.0",
        "gateway": "10.0.1.1",
    },
    "storage": {"nic": "nic1", "bridged": False, "ipaddr": "10.0.2.2", "prefix": 24},
    "isolated": {"mtu": 1400},
}


@pytest.fixture
def host() -> Iterator[Host]:
    with network_host() as made:
        yield made


@pytest.fixture
def configured(host: Host) -> Host:
    host.start()
    host.setup(NETWORKS, commitOnSuccess=True)
    return host


def test_after_a_boot_all_is_as_before_when_it_is_ready(configured: Host) -> None:
    before, stored = configured.dump(), configured.stored()
    configured.boot()
    configured.start()
    assert difference(before, configured.dump()) == []
    assert configured.stored() == stored


def test_a_restart_is_no_boot(configured: Host) -> None:
    configured.ip("link del isolated")
    configured.restart()
    assert "isolated" not in configured.devices()
    with configured.client() as client:
        assert client.network.restore_networks().skipped
    assert "isolated" not in configured.devices()


def test_by_force_it_restores_at_any_time(configured: Host) -> None:
    before = configured.dump()
    configured.ip("link del isolated", "addr del 10.0.2.2/24 dev nic1", "link set nic0 nomaster")
    with configured.client() as client:
        report = client.network.restore_networks(force=True)
    assert (report.restored, report.dropped) == (sorted(NETWORKS), {})
    assert difference(before, configured.dump()) == []


def test_what_was_never_persistent_does_not_come_back(configured: Host) -> None:
    before = configured.dump()
    configured.setup({"test": {"nic": "nic3"}})
    configured.boot()
    configured.start()
    found = [line for line in difference(before, configured.dump()) if "nic3" not in line]
    assert found == []
    assert "staging/nets/test" not in configured.stored()


def test_a_missing_nic_costs_its_network_only_and_is_told(configured: Host) -> None:
    configured.boot()
    configured.ip("link del nic0")
    configured.nic_seconds = 0.2
    configured.start()
    seen = configured.dump()
    assert "ovirtmgmt" not in seen["links"]
    assert '"10.0.2.2"' in seen["addresses"]["nic1"][0]
    assert '"ovirtmgmt" is NOT restored: "its NIC nic0 is not there"' in configured.log()
    stored = configured.stored()
    assert "persistence/nets/ovirtmgmt" in stored
    assert "staging/nets/ovirtmgmt" not in stored


def test_a_nic_that_comes_late_is_waited_for(configured: Host) -> None:
    configured.boot()
    configured.ip("link set nic0 name later")
    late = threading.Timer(0.8, lambda: configured.ip("link set later name nic0"))
    late.start()
    configured.start()
    late.join()
    assert configured.dump()["links"]["nic0"]["master"] == "ovirtmgmt"


def test_what_upstream_s_vdsm_stored_is_restored(host: Host) -> None:
    written: dict[str, Any] = {
        "nets": {
            "ovirtmgmt": {
                "nic": "nic0",
                "ipv6autoconf": False,
                "bridged": True,
                "ipaddr": "10.0.1.2",
                "netmask": "255.255.255.0",
                "gateway": "10.0.1.1",
                "dhcpv6": False,
                "stp": False,
                "mtu": 1500,
                "switch": "legacy",
                "defaultRoute": True,
                "bootproto": "none",
                "nameservers": ["10.0.1.53"],
            },
            "storage": {
                "nic": "nic1",
                "ipv6autoconf": False,
                "bridged": False,
                "ipaddr": "10.0.2.2",
                "netmask": "255.255.255.0",
                "dhcpv6": False,
                "mtu": 9000,
                "switch": "legacy",
                "defaultRoute": False,
                "bootproto": "none",
                "nameservers": [],
            },
        },
        "bonds": {},
        "devices": {},
    }
    for which in ("staging", "persistence"):
        tree = host.directory / "state" / which / "netconf.Xk39djWq"
        for kind, entities in written.items():
            (tree / kind).mkdir(parents=True)
            for name, attributes in entities.items():
                (tree / kind / name).write_text(json.dumps(attributes, indent=4))
        (tree.parent / "netconf").symlink_to(tree)
    host.start()
    seen = host.dump()
    assert seen["links"]["nic0"]["master"] == "ovirtmgmt"
    assert any('"gateway": "10.0.1.1"' in route for route in seen["routes"])
    assert seen["links"]["nic1"]["mtu"] == 9000
    assert "nameserver 10.0.1.53" in (host.directory / "root/etc/resolv.conf").read_text()


@pytest.mark.parametrize("step", [3, 12, 25])
def test_killed_while_it_restores_the_next_one_does(configured: Host, step: int) -> None:
    before = configured.dump()
    configured.boot()
    configured.arm("kill", step)
    with pytest.raises(Died):
        configured.start()
    configured.start()
    assert difference(before, configured.dump()) == []
    configured.restart()
    assert configured.leftovers() == []


def test_a_change_that_a_power_cut_ended_is_forgotten(configured: Host) -> None:
    before = configured.dump()
    end = configured.begin_setup({"test": {"nic": "nic3"}}, connectivityTimeout=25)
    eventually(lambda: configured.log().count("operations done") == 2)
    configured.boot()
    end()
    configured.start()
    assert "test" not in configured.devices()
    assert "forgotten, for the host was booted since" in configured.log()
    found = [line for line in difference(before, configured.dump()) if "nic3" not in line]
    assert found == []
