# SPDX-License-Identifier: GPL-2.0-or-later
"""What the next supervdsm makes of a change that was cut off."""

import logging
from pathlib import Path

import msgspec
import pytest

from supervdsm.network.config import Configuration
from supervdsm.network.plan import operations as op
from supervdsm.network.transaction.change import proposed
from supervdsm.network.transaction.journal import Record
from supervdsm.network.transaction.store import PERSISTENT, RUNNING, Store
from unit.supervdsm.network.transaction.fakes import FakeKernel, Killed, Site
from vdsm_contract import flow
from vdsm_contract.errors import NetworkChangeFailed

NETWORKS: dict[str, object] = {"ovirtmgmt": {"nic": "eth0", "vlan": 5}}


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site.at(tmp_path)


def cut_off(site: Site, *, before_operation: int) -> Record:
    """Leave a change as a process that was killed leaves it."""
    change = proposed(site.kernel.read(), Configuration(), NETWORKS, {}, persistent=True)

    def kill(number: int, _operation: op.Operation) -> None:
        if number == before_operation:
            raise Killed

    site.kernel.before = kill
    with flow.bound("a flow\nforged"):
        record = site.changer._begin(change)
    assert record is not None
    with pytest.raises(Killed):
        site.changer._lead_forward(change, record, lambda: None)
    return record


def committed(site: Site) -> None:
    change = proposed(site.kernel.read(), Configuration(), NETWORKS, {}, persistent=True)
    record = site.changer._begin(change)
    assert record is not None
    site.changer._lead_forward(change, record, lambda: None)
    site.journal.commit(record, lambda: None)


def test_without_a_journal_only_old_files_go(site: Site, tmp_path: Path) -> None:
    site.store.prepare(RUNNING, Configuration())
    site.recovery.at_start(same_boot=True)
    assert list((tmp_path / "staging").iterdir()) == []


def test_before_the_commit_it_leads_back_and_the_log_says_what(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    before = site.kernel.state
    cut_off(site, before_operation=4)
    after = site.restarted()
    assert after.kernel.state != before
    with caplog.at_level(logging.INFO):
        after.recovery.at_start(same_boot=True)
    assert after.kernel.state == before
    assert after.store.running() == after.store.persistent() == Configuration()
    assert "was cut off, before its commit" in caplog.text
    assert 'flow="a flow\\nforged": rolled back' in caplog.text


@pytest.mark.parametrize("switched", [(), (RUNNING,), (RUNNING, PERSISTENT)])
def test_after_the_commit_it_leads_forward(site: Site, switched: tuple[str, ...]) -> None:
    committed(site)
    record = site.journal.read()
    assert record is not None
    if RUNNING in switched:
        site.store.switch(RUNNING, record.running)
    if PERSISTENT in switched:
        site.store.switch(PERSISTENT, record.persistent)
    state = site.kernel.state
    after = site.restarted()
    after.recovery.at_start(same_boot=True)
    assert set(after.store.running().networks) == {"ovirtmgmt"}
    assert after.store.persistent() == after.store.running()
    assert (after.kernel.state, after.journal.read()) == (state, None)


def test_in_another_boot_no_device_is_touched(site: Site) -> None:
    cut_off(site, before_operation=4)
    after = site.restarted()
    state = after.kernel.state
    after.recovery.at_start(same_boot=False)
    assert (after.kernel.state, after.journal.read()) == (state, None)


def test_in_another_boot_a_committed_change_is_still_stored(site: Site) -> None:
    committed(site)
    after = site.restarted()
    after.recovery.at_start(same_boot=False)
    assert set(after.store.persistent().networks) == {"ovirtmgmt"}


def test_a_recovery_that_is_killed_is_begun_again(site: Site) -> None:
    before = site.kernel.state
    cut_off(site, before_operation=5)
    for number in (1, 2):
        site = site.restarted()

        def kill(done: int, _operation: op.Operation, at: int = number) -> None:
            if done == at:
                raise Killed

        site.kernel.before = kill
        with pytest.raises(Killed):
            site.recovery.at_start(same_boot=True)
    after = site.restarted()
    after.recovery.at_start(same_boot=True)
    assert after.kernel.state == before


def stubborn(site: Site) -> Site:
    """Return the next process, on a kernel that refuses to go back."""
    cut_off(site, before_operation=4)
    after = site.restarted()
    after.kernel.refuse(lambda operation: isinstance(operation, op.DeleteDevice))
    return after


def test_when_there_is_no_way_back_it_starts_and_refuses_changes(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    after = stubborn(site)
    after.recovery.at_start(same_boot=True)
    assert "NOT rolled back" in caplog.text
    with pytest.raises(NetworkChangeFailed, match="the network is NOT as it was"):
        after.recovery.settle()
    assert after.journal.read() is not None


def test_it_tries_again_before_the_next_change(site: Site) -> None:
    before = site.kernel.state
    after = stubborn(site)
    after.recovery.at_start(same_boot=True)
    after.kernel.before = FakeKernel().before
    after.recovery.settle()
    assert (after.kernel.state, after.journal.read()) == (before, None)


def test_an_operator_may_give_it_up(site: Site, tmp_path: Path) -> None:
    after = stubborn(site)
    after.recovery.give_up()
    after.recovery.settle()
    assert (tmp_path / "supervdsm/network.journal.bad").exists()


def test_a_defect_on_the_way_back_does_not_keep_it_from_starting(site: Site) -> None:
    cut_off(site, before_operation=4)
    after = site.restarted()

    def defect(_number: int, _operation: op.Operation) -> None:
        raise KeyError("a defect")

    after.kernel.before = defect
    after.recovery.at_start(same_boot=True)
    assert after.journal.read() is not None


def test_a_committed_change_whose_files_are_gone_is_not_forgotten(
    site: Site, tmp_path: Path
) -> None:
    committed(site)
    Store(tmp_path).collect()
    after = site.restarted()
    after.recovery.at_start(same_boot=True)
    with pytest.raises(NetworkChangeFailed):
        after.recovery.settle()


def test_a_journal_of_no_time_does_not_keep_it_from_starting(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    before = site.kernel.state
    record = cut_off(site, before_operation=4)
    site.journal.open(msgspec.structs.replace(record, started=1e300))
    after = site.restarted()
    after.recovery.at_start(same_boot=True)
    assert after.kernel.state == before
    assert "1e+300" in caplog.text


def spoil_journal(site: Site) -> None:
    (site.store._state_dir / "supervdsm/network.journal").write_text('{"format":1,"pha')


@pytest.mark.parametrize("same_boot", [True, False])
@pytest.mark.parametrize(
    ("switched", "ended"), [((), set()), ((RUNNING,), {"ovirtmgmt"})], ids=["before", "between"]
)
def test_a_commit_whose_journal_is_spoilt_is_whole_in_both_configurations(
    site: Site, switched: tuple[str, ...], ended: set[str], same_boot: bool
) -> None:
    committed(site)
    record = site.journal.read()
    assert record is not None
    if RUNNING in switched:
        site.store.switch(RUNNING, record.running)
    spoil_journal(site)
    after = site.restarted()
    after.recovery.at_start(same_boot=same_boot)
    assert set(after.store.running().networks) == ended
    assert set(after.store.persistent().networks) == ended


def test_an_earlier_commit_is_not_taken_for_one_that_was_cut_off(site: Site) -> None:
    change = proposed(site.kernel.read(), Configuration(), NETWORKS, {}, persistent=True)
    site.changer.make(change)
    # Another configuration is made safe; the tree of the commit is still there.
    site.store.save(PERSISTENT, Configuration())
    change = proposed(site.kernel.read(), site.store.load(RUNNING), {"other": {"nic": "eth1"}}, {})
    assert site.changer._begin(change) is not None
    spoil_journal(site)
    after = site.restarted()
    after.recovery.at_start(same_boot=False)
    assert after.store.persistent() == Configuration()
    assert set(after.store.running().networks) == {"ovirtmgmt"}
