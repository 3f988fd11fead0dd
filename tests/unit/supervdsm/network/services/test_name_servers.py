# SPDX-License-Identifier: GPL-2.0-or-later
"""Name servers by DHCP: whose count, and when resolv.conf is written."""

import threading
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from supervdsm.network.plan.state import Dhcp
from supervdsm.network.services.leases import Lease, Leases, Told
from supervdsm.network.services.name_servers import NameServers
from supervdsm.network.services.wishes import Wish, Wishes

MAIN = Wish("nic0", Dhcp(ipv4=True, ipv6=False, default_route=True))
OTHER = Wish("nic1", Dhcp(ipv4=True, ipv6=False, default_route=False))


@dataclass
class Lab:
    wishes: Wishes
    leases: Leases
    servers: tuple[str, ...] = ("192.0.2.1",)
    written: threading.Event = field(default_factory=threading.Event)

    def write(self, servers: object) -> None:
        assert isinstance(servers, tuple)
        self.servers = servers
        self.written.set()

    def carrier(self) -> NameServers:
        return NameServers(lambda: self.servers, self.write, self.wishes, self.leases)

    def lease(self, instance: str, *servers: str) -> None:
        self.leases.write(instance, Told(ipv4=Lease(nameservers=servers)))


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    wishes, leases = Wishes(tmp_path / "wishes"), Leases(tmp_path / "leases")
    wishes.directory.mkdir()
    leases.directory.mkdir()
    return Lab(wishes, leases)


def test_those_of_the_default_route_s_network_count(lab: Lab) -> None:
    lab.wishes.write("nic0", MAIN)
    lab.wishes.write("nic1", OTHER)
    lab.lease("nic0", "192.0.2.53")
    lab.lease("nic1", "198.51.100.53")
    lab.carrier().carry()
    assert lab.servers == ("192.0.2.53",)


def test_a_wish_without_a_client_hides_nobody(lab: Lab) -> None:
    lab.wishes.write("a", Wish("a", MAIN.dhcp))
    lab.wishes.write("nic0", MAIN)
    lab.lease("nic0", "192.0.2.53")
    lab.carrier().carry()
    assert lab.servers == ("192.0.2.53",)


def test_without_any_told_resolv_conf_stays_as_it_is(lab: Lab) -> None:
    lab.carrier().carry()
    lab.wishes.write("nic0", MAIN)
    lab.carrier().carry()
    lab.lease("nic0")
    lab.carrier().carry()
    assert not lab.written.is_set()


def test_the_same_name_servers_are_not_written_again(lab: Lab) -> None:
    lab.wishes.write("nic0", MAIN)
    lab.lease("nic0", "192.0.2.1")
    lab.carrier().carry()
    assert not lab.written.is_set()


def test_a_client_that_leaves_counts_no_longer(lab: Lab) -> None:
    lab.wishes.write("nic0", MAIN)
    lab.lease("nic0", "192.0.2.53")
    lab.wishes.leave("nic0")
    lab.carrier().carry()
    assert not lab.written.is_set()


def test_a_lease_that_comes_is_carried_at_once(lab: Lab) -> None:
    lab.wishes.write("nic0", MAIN)
    lab.carrier().start()
    lab.lease("nic0", "192.0.2.53")
    assert lab.written.wait(10)
    lab.written.clear()
    lab.lease("nic0", "192.0.2.54")
    assert lab.written.wait(10)
    assert lab.servers == ("192.0.2.54",)


def test_a_resolv_conf_that_cannot_be_written_ends_nothing(
    lab: Lab, caplog: pytest.LogCaptureFixture
) -> None:
    failed = threading.Event()

    def write(servers: object) -> None:
        if not failed.is_set():
            failed.set()
            raise PermissionError(1, "Operation not permitted", "/etc/resolv.conf")
        lab.write(servers)

    lab.wishes.write("nic0", MAIN)
    NameServers(lambda: lab.servers, write, lab.wishes, lab.leases).start()
    lab.lease("nic0", "192.0.2.53")
    assert failed.wait(10)
    lab.lease("nic0", "192.0.2.54")
    assert lab.written.wait(10)
    assert "resolv.conf" in caplog.text


def test_without_its_directories_it_ends_with_a_word(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lab = Lab(Wishes(tmp_path / "wishes"), Leases(tmp_path / "leases"))
    thread = lab.carrier().start()
    thread.join(10)
    assert not thread.is_alive()
    assert "not used" in caplog.text
    assert list(tmp_path.iterdir()) == []
