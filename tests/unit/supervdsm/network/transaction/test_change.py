# SPDX-License-Identifier: GPL-2.0-or-later
"""A change in a kernel in memory: all of it or none, whatever fails, wherever it is killed."""

from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from supervdsm.common.call import serving
from supervdsm.network.apply.executor import OperationFailed
from supervdsm.network.config import Configuration
from supervdsm.network.plan import operations as op
from supervdsm.network.transaction.change import Change, proposed
from supervdsm.network.transaction.store import RUNNING
from unit.supervdsm.network.transaction.fakes import FakeKernel, Killed, Site
from vdsm_contract import asked
from vdsm_contract.errors import (
    NetlinkFailed,
    NetworkChangeFailed,
    NetworkConfigError,
    TimedOut,
)

NETWORKS: dict[str, object] = {
    "ovirtmgmt": {
        "nic": "eth0",
        "defaultRoute": True,
        "ipaddr": "192.0.2.2",
        "netmask": "255.255.255.0",
        "gateway": "192.0.2.1",
        "nameservers": ["192.0.2.53"],
    },
    "storage": {
        "bonding": "bond0",
        "vlan": 100,
        "mtu": 9000,
        "bridged": False,
        "ipaddr": "198.51.100.2",
        "netmask": "255.255.255.0",
        "gateway": "198.51.100.1",
    },
}
BONDS: dict[str, object] = {"bond0": {"nics": ["eth1", "eth2"], "options": "mode=4"}}


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site.at(tmp_path)


def change(
    site: Site,
    networks: dict[str, object] = NETWORKS,
    bondings: dict[str, object] = BONDS,
    *,
    persistent: bool = False,
) -> Change:
    running = site.store.load(RUNNING)
    return proposed(site.kernel.read(), running, networks, bondings, persistent=persistent)


def test_a_change_reaches_kernel_and_files(site: Site) -> None:
    site.changer.make(change(site))
    assert {"ovirtmgmt", "bond0", "bond0.100"} <= site.kernel.state.devices.keys()
    assert set(site.store.running().networks) == {"ovirtmgmt", "storage"}
    assert site.store.persistent() == Configuration()
    assert site.journal.read() is None


def test_a_change_that_is_to_last_is_persistent_with_it(site: Site) -> None:
    site.changer.make(change(site, persistent=True))
    assert site.store.persistent() == site.store.running() != Configuration()


def test_what_is_so_already_touches_nothing_and_asks_nobody(site: Site) -> None:
    site.changer.make(change(site))
    before = site.kernel.state

    def confirm() -> None:
        raise AssertionError("nothing was touched")

    site.kernel.done.clear()
    site.changer.make(change(site), confirm)
    assert (site.kernel.done, site.kernel.state) == ([], before)


def test_what_runs_already_can_be_made_to_last(site: Site) -> None:
    site.changer.make(change(site))
    site.changer.make(change(site, persistent=True))
    assert site.store.persistent() == site.store.running()


def test_the_journal_is_open_while_the_engine_is_waited_for(site: Site) -> None:
    phases = []

    def confirm() -> None:
        record = site.journal.read()
        phases.append(record.phase if record else None)
        assert site.store.running() == Configuration()

    site.changer.make(change(site), confirm)
    assert phases == ["open"]


@pytest.mark.parametrize(
    ("raised", "told"),
    [
        (NetworkConfigError(10, "", "not heard from"), NetworkConfigError),
        (TimedOut(limit=1), TimedOut),
        (NetlinkFailed(105, "No buffer space available"), NetworkChangeFailed),
        (OSError(28, "No space left on device"), NetworkChangeFailed),
        (KeyError("a defect"), KeyError),
    ],
)
def test_whatever_fails_before_the_commit_leads_back(
    site: Site, raised: BaseException, told: type[BaseException]
) -> None:
    before = site.kernel.state

    def confirm() -> None:
        assert site.kernel.state != before
        raise raised

    with pytest.raises(told):
        site.changer.make(change(site), confirm)
    assert site.kernel.state == before
    assert site.store.running() == Configuration()
    assert site.journal.read() is None


def test_the_operation_that_failed_is_told(site: Site) -> None:
    before = site.kernel.state
    site.kernel.refuse(lambda operation: isinstance(operation, op.AddRoute))
    with pytest.raises(NetworkChangeFailed) as caught:
        site.changer.make(change(site))
    error = caught.value
    assert (error.errno, error.reason, error.rolledBack) == (16, "Device or resource busy", True)
    assert error.operation.startswith("add route")
    assert site.kernel.state == before


def test_a_call_that_is_late_does_not_commit(site: Site) -> None:
    before = site.kernel.state
    with serving("SetupNetworks", 60) as call:
        proposal = change(site)

        def confirm() -> None:
            msgspec.structs.force_setattr(call, "deadline", 0.0)

        with pytest.raises(TimedOut):
            site.changer.make(proposal, confirm)
    assert site.kernel.state == before
    assert site.store.running() == Configuration()


def test_a_way_back_that_fails_leaves_the_journal_open_and_says_so(site: Site) -> None:
    before = site.kernel.state

    def confirm() -> None:
        site.kernel.refuse(lambda operation: isinstance(operation, op.DeleteDevice))
        raise NetworkConfigError(10, "", "not heard from")

    with pytest.raises(NetworkChangeFailed) as caught:
        site.changer.make(change(site), confirm)
    assert not caught.value.rolledBack
    assert "not heard from" in caught.value.reason
    record = site.journal.read()
    assert record is not None
    assert record.phase == "open"
    after = site.restarted()
    after.recovery.settle()
    assert after.kernel.state == before


def test_a_full_disk_refuses_the_change_before_anything_is_touched(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    proposal = change(site)

    def full(_fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(NetworkChangeFailed) as caught:
        site.changer.make(proposal)
    assert caught.value.rolledBack
    assert caught.value.errno == 28
    assert site.kernel.done == []


def test_an_ageing_time_that_stp_has_set_for_a_while_is_not_put_back(site: Site) -> None:
    site.changer.make(change(site, {"net": {"nic": "eth0", "stp": True}}, {}))
    bridge = site.kernel.state.devices["net"]
    passing = {"stp_state": "1", "forward_delay": "1500", "ageing_time": "3000", "max_age": "2000"}
    devices = {"net": msgspec.structs.replace(bridge, options=passing)}
    site.kernel.state = msgspec.structs.replace(
        site.kernel.state, devices=site.kernel.state.devices | devices
    )
    record = site.changer._begin(change(site, {"net": {"remove": True}}, {}))
    assert record is not None
    assert record.before.devices["net"].options == {
        "stp_state": "1",
        "forward_delay": "1500",
        "max_age": "2000",
    }


def operations_of(site: Site) -> int:
    site.changer.make(change(site))
    return len(site.kernel.done)


def test_killed_before_any_operation_the_next_start_leads_back(tmp_path: Path) -> None:
    count = operations_of(Site.at(tmp_path / "whole"))
    assert count > 15
    for number in range(1, count + 1):
        site = Site.at(tmp_path / f"killed{number}")
        before = site.kernel.state

        def kill(done: int, _operation: op.Operation, at: int = number) -> None:
            if done == at:
                raise Killed

        proposal = change(site)
        site.kernel.before = kill
        # Without the way back, which a dead process cannot go.
        record = site.changer._begin(proposal)
        assert record is not None
        with pytest.raises(Killed):
            site.changer._lead_forward(proposal, record, lambda: None)
        after = site.restarted()
        after.recovery.at_start(same_boot=True)
        assert after.kernel.state == before
        assert after.store.running() == Configuration()
        assert after.journal.read() is None


def test_a_failure_of_any_operation_leads_back(tmp_path: Path) -> None:
    count = operations_of(Site.at(tmp_path / "whole"))
    for number in range(1, count + 1):
        site = Site.at(tmp_path / f"failed{number}")
        before = site.kernel.state

        def fail(done: int, operation: op.Operation, at: int = number) -> None:
            if done == at:
                site.kernel.before = FakeKernel().before  # noqa: B023
                raise OperationFailed(operation, 12, "Cannot allocate memory")

        proposal = change(site)
        site.kernel.before = fail
        with pytest.raises(NetworkChangeFailed, match="the network is as it was"):
            site.changer.make(proposal)
        assert site.kernel.state == before
        assert site.journal.read() is None


def test_an_upgrade_is_told_what_a_change_may_touch_before_it_does(
    site: Site, tmp_path: Path
) -> None:
    path = tmp_path / asked.FILE_NAME
    asked.begin(path)
    seen: list[frozenset[str]] = []
    site.kernel.before = lambda _number, _operation: seen.append(asked.read(path).devices)
    changer = replace(site.changer, asked=path)
    changer.make(change(site))
    assert seen[0] >= {"ovirtmgmt", "eth0", "bond0", "bond0.100", "eth1", "eth2"}
    assert "eth3" not in seen[0]


def test_an_upgrade_is_told_nothing_of_a_change_that_touches_nothing(
    site: Site, tmp_path: Path
) -> None:
    site.changer.make(change(site))
    path = tmp_path / asked.FILE_NAME
    asked.begin(path)
    replace(site.changer, asked=path).make(change(site, persistent=True))
    assert asked.read(path) == asked.Asked()
    assert site.store.persistent() != Configuration()


def test_an_upgrade_is_told_what_a_way_back_may_touch(site: Site, tmp_path: Path) -> None:
    record = site.changer._begin(change(site))
    assert record is not None
    path = tmp_path / asked.FILE_NAME
    asked.begin(path)
    assert replace(site.changer, asked=path).roll_back(record)
    assert asked.read(path).devices >= {"ovirtmgmt", "eth0", "bond0", "eth1"}
