# SPDX-License-Identifier: GPL-2.0-or-later
"""Both ends of the mailbox: what they remember, and at work on real files."""

import queue
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.local_files import LocalFiles
from unit.vdsm.storage.pool.world import PATIENCE_S
from vdsm.storage import errors, layout
from vdsm.storage.formats import mailbox
from vdsm.storage.formats.mailbox import CLEAN, EMPTY, EMPTY_MAILBOX, MAILBOX_SIZE, Extend
from vdsm.storage.pool.mail import HostMail, MailboxFull, SpmMail
from vdsm.storage.pool.mailbox import HostMailbox, SpmMonitor

DOMAIN = "7a16d0b4-8a2e-4f0c-9c3f-2a0c5f1b9e01"
VOLUME = "7a16d0b4-8a2e-4f0c-9c3f-2a0c5f1b9e02"
HOSTS = 3
TICK_S = 0.01


def request(number: int = 0, size: int = 10) -> Extend:
    return Extend(DOMAIN, f"{VOLUME[:-4]}{number:04x}", size)


def inbox(*mails: tuple[int, bytes]) -> bytes:
    data = bytearray(MAILBOX_SIZE * (HOSTS + 1))
    for host_id, mail in mails:
        data[host_id * MAILBOX_SIZE : (host_id + 1) * MAILBOX_SIZE] = mail
    return bytes(data)


class TestWhatTheyRemember:
    def test_a_request_goes_from_asked_to_empty(self) -> None:
        host, spm = HostMail(EMPTY_MAILBOX), SpmMail(HOSTS)
        message = request().encode()
        assert host.add(message)
        [found] = spm.take(inbox((2, host.outgoing()))).requests
        assert (found.host_id, found.slot, found.message) == (2, 0, message)
        spm.answer(2, 0, message)
        assert host.take(spm.outgoing(2)) == [(message, message)]
        assert not host.is_idle
        assert spm.take(inbox((2, host.outgoing()))).cleaned == {2}
        assert host.take(spm.outgoing(2)) == []
        assert host.is_idle
        assert host.outgoing() == EMPTY_MAILBOX
        assert not spm.take(inbox((2, host.outgoing()))).requests

    def test_what_was_seen_is_no_news(self) -> None:
        host, spm = HostMail(EMPTY_MAILBOX), SpmMail(HOSTS)
        host.add(request().encode())
        data = inbox((1, host.outgoing()))
        assert spm.take(data).requests
        assert not spm.take(data).requests

    def test_a_new_spm_is_asked_again(self) -> None:
        host = HostMail(EMPTY_MAILBOX)
        host.add(request().encode())
        data = inbox((1, host.outgoing()))
        assert SpmMail(HOSTS).take(data).requests == SpmMail(HOSTS).take(data).requests

    def test_an_answer_to_a_former_request_is_none(self) -> None:
        message = request().encode()
        stale = mailbox.with_message(EMPTY_MAILBOX, 0, message)
        host = HostMail(stale)
        host.add(message)
        assert host.take(stale) == []

    def test_the_same_request_is_sent_once_and_64_are_too_many(self) -> None:
        host = HostMail(EMPTY_MAILBOX)
        assert host.add(request().encode())
        assert not host.add(request().encode())
        for number in range(1, mailbox.MESSAGES):
            host.add(request(number).encode())
        with pytest.raises(MailboxFull):
            host.add(request(99).encode())

    def test_a_torn_mailbox_is_told_and_read_when_it_is_whole(self) -> None:
        host, spm = HostMail(EMPTY_MAILBOX), SpmMail(HOSTS)
        host.add(request().encode())
        whole = host.outgoing()
        torn = inbox((3, whole[: MAILBOX_SIZE // 2] + bytes(MAILBOX_SIZE // 2)))
        news = spm.take(torn)
        assert (news.broken, news.requests) == ({3}, [])
        assert [one.host_id for one in spm.take(inbox((3, whole))).requests] == [3]

    def test_the_place_of_host_id_0_is_nobodys(self) -> None:
        bell = mailbox.seal(mailbox.with_message(EMPTY_MAILBOX, 0, b"2" * 64))
        news = SpmMail(HOSTS).take(inbox((0, bell)))
        assert not news.requests
        assert not news.cleaned | news.broken

    @given(st.binary(max_size=MAILBOX_SIZE * 2), st.booleans())
    def test_any_inbox_is_survived(self, junk: bytes, sealed: bool) -> None:
        mail = junk.ljust(MAILBOX_SIZE, b"\0")[:MAILBOX_SIZE]
        spm = SpmMail(HOSTS)
        news = spm.take(inbox((1, mailbox.seal(mail) if sealed else mail)))
        assert {one.host_id for one in news.requests} | news.cleaned | news.broken <= {1}
        assert not spm.take(junk).cleaned - {1}

    @given(st.binary(max_size=MAILBOX_SIZE))
    def test_any_answer_is_survived(self, junk: bytes) -> None:
        host = HostMail(EMPTY_MAILBOX)
        host.add(request().encode())
        host.take(junk.ljust(MAILBOX_SIZE, b"\0"))
        assert mailbox.is_sealed(host.outgoing())


class Domain:
    """A master's files, and the answers that a host was told."""

    def __init__(self, path: Path) -> None:
        (path / layout.DOM_MD).mkdir(parents=True)
        for name in (layout.INBOX, layout.OUTBOX):
            (path / name).write_bytes(bytes(MAILBOX_SIZE * (HOSTS + 1)))
        self.path = path
        self.files = LocalFiles(path)
        self.extended: list[Extend] = []
        self.told: queue.Queue[tuple[Extend, bool]] = queue.Queue()
        self.refuse = threading.Event()

    def extend(self, wanted: Extend) -> None:
        if self.refuse.is_set():
            raise errors.StorageDomainNotMemberOfPool(wanted.domain)
        self.extended.append(wanted)

    def tell(self, wanted: Extend, done: bool) -> None:
        self.told.put((wanted, done))

    def slot(self, name: str, host_id: int) -> bytes:
        start = host_id * MAILBOX_SIZE
        return (self.path / name).read_bytes()[start : start + 64]


@pytest.fixture
def domain(tmp_path: Path) -> Domain:
    return Domain(tmp_path / "domain")


@pytest.fixture
def spm(domain: Domain) -> Iterator[SpmMonitor]:
    monitor = SpmMonitor(domain.files, HOSTS, domain.extend, TICK_S)
    yield monitor
    monitor.stop()


@pytest.fixture
def host(domain: Domain) -> Iterator[HostMailbox]:
    mailbox_ = HostMailbox(domain.files, 2, TICK_S)
    yield mailbox_
    mailbox_.close()


def wait_for_empty(domain: Domain, host_id: int) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while domain.slot(layout.INBOX, host_id) != EMPTY:
        assert time.monotonic() < deadline
        time.sleep(TICK_S)


def test_a_host_asks_and_is_answered(domain: Domain, spm: SpmMonitor, host: HostMailbox) -> None:
    spm.start()
    host.ask(request(), domain.tell)
    assert domain.told.get(timeout=PATIENCE_S) == (request(), True)
    assert domain.extended == [request()]
    wait_for_empty(domain, 2)
    assert domain.slot(layout.OUTBOX, 2) == CLEAN
    host.ask(request(1), domain.tell)
    assert domain.told.get(timeout=PATIENCE_S) == (request(1), True)


def test_what_the_spm_cannot_do_is_answered_too(
    domain: Domain, spm: SpmMonitor, host: HostMailbox
) -> None:
    domain.refuse.set()
    spm.start()
    host.ask(request(), domain.tell)
    assert domain.told.get(timeout=PATIENCE_S) == (request(), False)


def test_a_request_waits_for_an_spm(domain: Domain, spm: SpmMonitor, host: HostMailbox) -> None:
    host.ask(request(), domain.tell)
    spm.start()
    assert domain.told.get(timeout=PATIENCE_S) == (request(), True)


def test_a_host_clears_what_it_asked_in_a_former_life(domain: Domain, spm: SpmMonitor) -> None:
    HostMailbox(domain.files, 2, 60.0).ask(request(), domain.tell)
    HostMailbox(domain.files, 2).clear()
    assert domain.slot(layout.INBOX, 2) == EMPTY
    spm.start()
    other = HostMailbox(domain.files, 1, TICK_S)
    other.ask(request(7), domain.tell)
    assert domain.told.get(timeout=PATIENCE_S) == (request(7), True)
    assert domain.extended == [request(7)]
    other.close()


def test_no_message_is_answered_that_is_none(domain: Domain, spm: SpmMonitor) -> None:
    junk = mailbox.seal(mailbox.with_message(EMPTY_MAILBOX, 0, b"1what" + bytes(59)))
    domain.files.write_at(layout.INBOX, MAILBOX_SIZE, junk)
    spm.start()
    host = HostMailbox(domain.files, 2, TICK_S)
    host.ask(request(), domain.tell)
    assert domain.told.get(timeout=PATIENCE_S) == (request(), True)
    assert domain.slot(layout.OUTBOX, 1) == EMPTY
    host.close()


def test_an_spm_goes_on_when_a_dead_master_answers_again(
    domain: Domain, spm: SpmMonitor, host: HostMailbox
) -> None:
    spm.start()
    (domain.path / layout.INBOX).rename(domain.path / "away")
    time.sleep(5 * TICK_S)
    (domain.path / "away").rename(domain.path / layout.INBOX)
    host.ask(request(), domain.tell)
    assert domain.told.get(timeout=PATIENCE_S) == (request(), True)
