# SPDX-License-Identifier: GPL-2.0-or-later
"""What a supervdsm does with the change that the one before it was killed in."""

import os
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from faults.kernel_dump import Dump, difference
from faults.network_host import Host, network_host
from vdsm_contract import flow
from vdsm_contract.errors import NetworkChangeFailed, SupervdsmDied

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root for a network namespace")

NETWORKS: dict[str, Any] = {
    "ovirtmgmt": {"nic": "nic0", "ipaddr": "10.0.1.2", "prefix": 24, "gateway": "10.0.1.1"},
    "storage": {"nic": "nic1", "ipaddr": "10.0.2.2", "prefix": 24, "gateway": "10.0.2.1"},
}


@pytest.fixture
def host() -> Iterator[Host]:
    with network_host() as made:
        made.start()
        yield made


def cut_off(host: Host, step: int = 20) -> Dump:
    """Kill the supervdsm in the middle of a change; return the kernel's network before."""
    before = host.dump()
    host.arm("kill", step)
    with flow.bound("0f1e-flow"), pytest.raises(SupervdsmDied):
        host.setup(NETWORKS)
    host.kill()
    assert difference(before, host.dump()) != []
    return before


def test_a_call_that_waited_is_served_by_a_network_that_is_whole(host: Host) -> None:
    cut_off(host)
    host.begin()
    with host.client() as client:
        # It waits in the socket while the old state is put back.
        assert client.network.network_caps().bridges == {}
    host.ready()


def test_the_log_says_whose_change_it_was_and_how_it_ended(host: Host) -> None:
    cut_off(host)
    host.start()
    (cut, ended) = [line for line in host.log().splitlines() if "recovery:" in line]
    assert 'SetupNetworks flow="0f1e-flow"' in cut
    assert "was cut off, before its commit" in cut
    assert "rolled back" in ended


def test_after_it_the_same_change_can_be_made(host: Host) -> None:
    cut_off(host)
    host.start()
    host.setup(NETWORKS)
    assert {"ovirtmgmt", "storage"} <= host.devices()


def test_a_nic_that_was_pulled_out_meanwhile_does_not_hold_it_up(host: Host) -> None:
    before = cut_off(host)
    host.ip("link del nic1")
    host.start()
    del before["links"]["nic1"], before["links"]["far1"]
    seen = host.dump()
    assert seen["links"] == before["links"]
    assert host.leftovers() == []
    assert "Not put back, for it is not there any more: nic1" in host.log()


def test_a_journal_that_cannot_be_read_is_kept_and_everybody_is_told(host: Host) -> None:
    cut_off(host)
    journal = host.directory / "state/supervdsm/network.journal"
    journal.write_text("{")
    host.start()
    assert "is set aside as" in host.log()
    assert host.leftovers() == ["network.journal.bad"]
    host.setup(NETWORKS)


@pytest.mark.parametrize("step", [8, 20, 38, 10_000])
def test_without_a_readable_journal_it_leads_to_the_running_configuration(
    host: Host, step: int
) -> None:
    changed = {**NETWORKS, "isolated": {}}
    gone = {"storage": {"remove": True}, "isolated": {"remove": True}}
    # A NIC that was ours once is left in another state than the kernel makes it in.
    host.setup(changed)
    host.setup({"ovirtmgmt": {"nic": "nic0", "bridged": False, "mtu": 1400}, **gone})
    before = host.dump(), host.stored()
    host.arm("kill", step)
    with suppress(SupervdsmDied):
        host.setup(changed)
    host.kill()
    journal = host.directory / "state/supervdsm/network.journal"
    after = host.dump(), host.stored()
    if not journal.exists():  # the change came to its end: the journal of the last step is torn
        journal.write_text("{")
        before = after
    os.truncate(journal, journal.stat().st_size * 2 // 3)
    host.arm("kill", 0)
    host.start()
    assert difference(before[0], host.dump()) == []
    assert host.stored() == before[1]
    assert host.leftovers() == ["network.journal.bad"]
    assert "network change a change that is not known" in host.log()


@pytest.mark.parametrize("booted", [False, True], ids=["same boot", "another boot"])
def test_a_commit_is_whole_wherever_it_was_cut_off_without_a_readable_journal(
    host: Host, booted: bool
) -> None:
    journal = host.directory / "state/supervdsm/network.journal"
    networks: list[dict[str, Any]] = [{"net": {"nic": "nic0", "mtu": mtu}} for mtu in (1400, 1300)]
    host.setup(networks[1], commitOnSuccess=True)
    host.arm("kill", 0)
    host.setup(networks[0], commitOnSuccess=True)
    steps = host.steps
    commit = len(steps) - 1 - steps[::-1].index("rename network.journal.new")
    led = []
    # Steps count from 1; of those after the commit the last one removes the journal.
    for number in range(commit + 1, len(steps) + 1):
        host.setup(networks[0], commitOnSuccess=True)
        host.arm("kill", number)
        with pytest.raises(SupervdsmDied):
            host.setup(networks[1], commitOnSuccess=True)
        host.kill()
        os.truncate(journal, journal.stat().st_size // 2)
        if booted:
            host.boot()
        host.arm("kill", 0)
        host.start()
        stored = host.stored()
        assert stored["staging/nets/net"] == stored["persistence/nets/net"], steps[number - 1]
        led.append(stored["persistence/nets/net"]["mtu"])
        assert host.dump()["links"]["net"]["mtu"] == led[-1], steps[number - 1]
    # The old one up to the first switch, the new one from there.
    assert [*sorted(led, reverse=True)] == led
    assert set(led) == {1400, 1300}


def test_what_cannot_be_put_back_is_refused_until_it_can_or_an_operator_decides(
    host: Host,
) -> None:
    before = cut_off(host)
    # Somebody took the name of a NIC's bridge for a device that is not ours to remove.
    host.ip("link del ovirtmgmt", "link add ovirtmgmt type veth peer name theirs")
    journal = host.directory / "state/supervdsm/network.journal"
    text = journal.read_text().replace('"mtu":1500', '"mtu":70000')
    journal.write_text(text)
    host.start()
    assert "NOT rolled back" in host.log()
    with pytest.raises(NetworkChangeFailed, match="NOT as it was"):
        host.setup({"other": {"nic": "nic5"}})
    assert "other" not in host.devices()
    journal.write_text(text.replace('"mtu":70000', '"mtu":1500'))
    host.ip("link del ovirtmgmt")
    host.setup({"other": {"nic": "nic5"}})
    seen = host.dump()
    assert seen["links"]["nic0"] == before["links"]["nic0"]
    assert seen["links"]["nic5"]["master"] == "other"


def test_a_restore_by_force_gives_up_what_cannot_be_put_back(host: Host) -> None:
    cut_off(host)
    journal = host.directory / "state/supervdsm/network.journal"
    journal.write_text(journal.read_text().replace('"mtu":1500', '"mtu":70000'))
    host.start()
    with host.client() as client:
        client.network.restore_networks(force=True)
    assert host.leftovers() == ["network.journal.bad"]
    host.setup({"other": {"nic": "nic5"}})
