# SPDX-License-Identifier: GPL-2.0-or-later
"""The journal's phases, and a journal that cannot be read."""

import logging
from pathlib import Path

import pytest

from supervdsm.network.plan.state import Address, Device, Dhcp, Route, Rule, State
from supervdsm.network.transaction import durable
from supervdsm.network.transaction.journal import Journal, Record
from vdsm_contract.errors import TimedOut

BEFORE = State(
    devices={
        "eth0": Device(
            name="eth0",
            kind="nic",
            up=True,
            mtu=1500,
            hwaddr="02:00:00:00:00:01",
            master="",
            addresses=(Address("192.0.2.2/24"), Address("2001:db8::2/64", lifetime=60)),
        )
    },
    absent=frozenset({"ovirtmgmt"}),
    routes=frozenset({Route(device="eth0", destination="0.0.0.0/0", gateway="192.0.2.1")}),
    rules=frozenset({Rule(table=7, source="192.0.2.0/24")}),
    dhcp={"eth0": Dhcp(ipv4=True, ipv6=False, default_route=True)},
    nameservers=("192.0.2.53",),
)
RECORD = Record(
    method="org.ovirt.supervdsm.network.SetupNetworks",
    flow_id="a flow",
    started=1.0,
    before=BEFORE,
    running="netconf.abcdefgh",
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "made/network.journal"


def nothing() -> None:
    return


def test_there_is_no_change_under_way_at_first(path: Path) -> None:
    assert Journal(path).read() is None


def test_the_next_process_reads_what_this_one_opened(path: Path) -> None:
    Journal(path).open(RECORD)
    assert Journal(path).read() == RECORD
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_a_commit_turns_back_into_forward(path: Path) -> None:
    journal = Journal(path)
    journal.open(RECORD)
    committed = journal.commit(RECORD, nothing)
    assert committed.phase == "committed"
    assert Journal(path).read() == committed


def test_a_commit_that_comes_too_late_is_none(path: Path) -> None:
    journal = Journal(path)
    journal.open(RECORD)

    def late() -> None:
        raise TimedOut(limit=1)

    with pytest.raises(TimedOut):
        journal.commit(RECORD, late)
    assert journal.read() == RECORD


def test_a_closed_journal_is_gone(path: Path) -> None:
    journal = Journal(path)
    journal.open(RECORD)
    journal.close()
    journal.close()
    assert journal.read() is None


def test_a_disk_that_fails_before_the_commit_prevents_it(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(path)
    journal.open(RECORD)

    def full(_fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        journal.commit(RECORD, nothing)
    assert journal.read() == RECORD


def test_a_disk_that_fails_after_the_commit_does_not_undo_it(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(path)
    journal.open(RECORD)

    def broken(_path: Path) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(durable, "flush_directory", broken)
    assert journal.commit(RECORD, nothing).phase == "committed"


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"format": 1}', b"\0" * 100])
def test_what_cannot_be_read_is_kept_aside_and_said(
    path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    journal = Journal(path)
    journal.open(RECORD)
    path.write_bytes(content)
    with caplog.at_level(logging.CRITICAL):
        assert journal.read() is None
    assert path.with_name("network.journal.bad").read_bytes() == content
    assert "set aside" in caplog.text
    assert not path.exists()


def test_another_format_is_not_obeyed(path: Path) -> None:
    journal = Journal(path)
    journal.open(RECORD)
    path.write_bytes(path.read_bytes().replace(b'"format":1', b'"format":2'))
    assert journal.read() is None
