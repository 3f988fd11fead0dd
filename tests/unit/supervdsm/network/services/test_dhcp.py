# SPDX-License-Identifier: GPL-2.0-or-later
"""Clients' lives as supervdsm sees them; the launcher stands for systemd, which runs them.

tests/process/supervdsm/network/test_dhcp.py has the real dhcpcd, tests/host/test_dhcp.py the units.
"""

import threading
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from supervdsm.network.plan.state import Dhcp
from supervdsm.network.services.dhcp import DhcpClients
from supervdsm.network.services.leases import Lease, Leases, Told
from supervdsm.network.services.wishes import NOTHING, Wishes
from vdsm_contract.errors import ServiceFailed

V4 = Dhcp(ipv4=True, ipv6=False, default_route=True)
OTHER = Dhcp(ipv4=True, ipv6=False, default_route=False)
BOTH = Dhcp(ipv4=True, ipv6=True, default_route=True)


@dataclass
class Launcher:
    """Remembers what it was asked, and in which state the wish was then."""

    wishes: Wishes
    calls: list[tuple[str, str, bool]] = field(default_factory=list)
    running: set[str] = field(default_factory=set)
    fails: bool = False

    def restart(self, instance: str) -> None:
        self.calls.append(("restart", instance, self.wishes.exists(instance)))
        if self.fails:
            raise ServiceFailed(unit=instance, reason="interface not found")
        self.running.add(instance)

    def stop(self, instance: str) -> None:
        self.calls.append(("stop", instance, self.wishes.exists(instance)))
        self.running.discard(instance)

    def started(self) -> set[str]:
        self.calls.append(("started", "", False))
        return self.running


@dataclass
class Lab:
    launcher: Launcher
    wishes: Wishes
    leases: Leases
    clients: DhcpClients
    root: Path

    def setting(self, family: str, device: str, name: str) -> Path:
        return self.root / "proc/sys/net" / family / "conf" / device / name


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    wishes, leases = Wishes(tmp_path / "wishes"), Leases(tmp_path / "leases")
    leases.directory.mkdir()
    launcher = Launcher(wishes)
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/machine-id").write_text("0123456789abcdef0123456789abcdef\n")
    made = Lab(
        launcher,
        wishes,
        leases,
        DhcpClients(
            launcher,
            wishes,
            leases,
            state=tmp_path / "state",
            proc=tmp_path / "proc",
            host_root=tmp_path,
        ),
        tmp_path,
    )
    for family, name in (("ipv4", "promote_secondaries"), ("ipv6", "addr_gen_mode")):
        for device in ("default", "nic0"):
            path = made.setting(family, device, name)
            path.parent.mkdir(parents=True)
            path.write_text("0\n")
    return made


def test_without_clients_nobody_is_asked(lab: Lab) -> None:
    assert lab.clients.running() == {}
    lab.clients.stop("nic0")
    assert lab.launcher.calls == []


def test_a_client_is_started_with_its_wish_written(lab: Lab) -> None:
    lab.clients.start("nic0", V4)
    assert lab.launcher.calls == [("restart", "nic0", True)]
    assert lab.clients.running() == {"nic0": V4}


def test_a_client_that_died_for_good_does_not_run(lab: Lab) -> None:
    lab.clients.start("nic0", V4)
    lab.launcher.running.clear()
    assert lab.clients.running() == {}


def test_the_same_wish_starts_nothing(lab: Lab) -> None:
    lab.clients.start("nic0", V4)
    lab.launcher.calls.clear()
    lab.clients.start("nic0", V4)
    assert lab.launcher.calls == [("started", "", False)]


def test_another_wish_starts_it_anew_and_its_addresses_stay(lab: Lab) -> None:
    lab.clients.start("nic0", V4)
    lab.leases.write("nic0", Told(ipv4=Lease("192.0.2.2/24")))
    lab.clients.start("nic0", OTHER)
    assert [call for call in lab.launcher.calls if call[0] != "started"] == [
        ("restart", "nic0", True),
        ("restart", "nic0", True),
    ]
    assert lab.clients.bound("nic0")


def test_a_version_that_is_no_longer_asked_for_gives_its_lease_back(lab: Lab) -> None:
    lab.clients.start("nic0", BOTH)
    lab.clients.start("nic0", V4)
    assert [call for call in lab.launcher.calls if call[0] != "started"] == [
        ("restart", "nic0", True),
        ("stop", "nic0", False),
        ("restart", "nic0", True),
    ]


def test_a_client_is_stopped_without_its_wish_so_that_it_releases(lab: Lab) -> None:
    lab.clients.start("nic0", V4)
    lab.launcher.calls.clear()
    lab.clients.stop("nic0")
    assert lab.launcher.calls == [("stop", "nic0", False)]
    assert list(lab.wishes.directory.iterdir()) == []


def test_a_stop_that_was_cut_off_is_seen_and_done_again(lab: Lab) -> None:
    lab.clients.start("nic0", V4)
    lab.wishes.leave("nic0")
    assert lab.clients.running() == {"nic0": NOTHING}
    lab.clients.stop("nic0")
    assert lab.clients.running() == {}


def test_a_client_that_fails_at_once_leaves_nothing(lab: Lab) -> None:
    lab.launcher.fails = True
    with pytest.raises(ServiceFailed, match="interface not found"):
        lab.clients.start("nic0", V4)
    assert lab.launcher.calls[-1] == ("stop", "nic0", False)
    assert list(lab.wishes.directory.iterdir()) == []


def test_a_client_is_bound_when_it_has_all_that_it_asked_for(lab: Lab) -> None:
    assert not lab.clients.bound("nic0")
    lab.clients.start("nic0", BOTH)
    assert not lab.clients.bound("nic0")
    lab.leases.write("nic0", Told(ipv4=Lease("192.0.2.2/24")))
    assert not lab.clients.bound("nic0")
    lab.leases.write("nic0", Told(Lease("192.0.2.2/24"), Lease("2001:db8::2/128")))
    assert lab.clients.bound("nic0")


def test_an_old_lease_binds_no_new_client(lab: Lab) -> None:
    lab.leases.write("nic0", Told(ipv4=Lease("192.0.2.2/24")))
    lab.clients.start("nic0", V4)
    assert not lab.clients.bound("nic0")


def test_what_dhcpcd_cannot_set_in_its_container_is_set(lab: Lab) -> None:
    lab.clients.start("nic0", V4)
    assert lab.setting("ipv4", "nic0", "promote_secondaries").read_text() == "1"
    assert lab.setting("ipv4", "default", "promote_secondaries").read_text() == "0\n"


def test_what_dhcpcd_leaves_behind_is_taken_back(lab: Lab) -> None:
    lab.clients.start("nic0", BOTH)
    lab.setting("ipv6", "nic0", "addr_gen_mode").write_text("1\n")
    lab.clients.stop("nic0")
    assert lab.setting("ipv6", "nic0", "addr_gen_mode").read_text() == "0\n"


def test_a_device_that_is_gone_is_stopped_all_the_same(lab: Lab) -> None:
    lab.clients.start("gone0", BOTH)
    lab.clients.stop("gone0")
    assert lab.clients.running() == {}


def test_the_identity_is_the_machine_s_and_not_its_machine_id(lab: Lab) -> None:
    lab.clients.start("nic0", V4)
    duid = (lab.root / "state/duid").read_text()
    assert duid.startswith("00:04:")
    assert len(duid.strip()) == 18 * 3 - 1
    assert "01:23:45:67" not in duid
    (lab.root / "state/duid").unlink()
    lab.clients.start("nic0", OTHER)
    assert (lab.root / "state/duid").read_text() == duid


def test_an_identity_that_is_there_stays(lab: Lab) -> None:
    (lab.root / "state").mkdir()
    (lab.root / "state/duid").write_text("00:01:aa\n")
    lab.clients.start("nic0", V4)
    assert (lab.root / "state/duid").read_text() == "00:01:aa\n"


def test_without_a_machine_id_dhcpcd_makes_one(lab: Lab) -> None:
    (lab.root / "etc/machine-id").unlink()
    lab.clients.start("nic0", V4)
    assert not (lab.root / "state/duid").exists()


def test_a_boot_waits_for_leases_no_longer_than_it_shall(lab: Lab) -> None:
    assert lab.clients.wait(0) == []
    lab.clients.start("nic0", V4)
    lab.clients.start("nic1", V4)
    lab.leases.write("nic0", Told(ipv4=Lease("192.0.2.2/24")))
    assert lab.clients.wait(0) == ["nic1"]
    later = threading.Timer(0.2, lab.leases.write, ("nic1", Told(ipv4=Lease("192.0.2.3/24"))))
    later.start()
    assert lab.clients.wait(10) == []


def test_a_client_cannot_lead_supervdsm_elsewhere_by_a_link(lab: Lab) -> None:
    (lab.root / "state").mkdir()
    (lab.root / "precious").write_text("mine")
    (lab.root / "state/duid.new").symlink_to(lab.root / "precious")
    with pytest.raises(OSError, match="Too many levels of symbolic links"):
        lab.clients.start("nic0", V4)
    assert (lab.root / "precious").read_text() == "mine"
