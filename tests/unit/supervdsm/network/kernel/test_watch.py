# SPDX-License-Identifier: GPL-2.0-or-later
"""Waiting for links: who waits is woken, who was away is told, who was away too long knows it."""

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from supervdsm.network.config import Bond, Configuration, Network
from supervdsm.network.kernel.devices import NicPatterns
from supervdsm.network.kernel.model import Link
from supervdsm.network.kernel.tables import Change
from supervdsm.network.kernel.watch import KEPT, LinkWatch, devices_of
from vdsm_contract.types import LinkChange, LinkChanges

NETWORKS = Configuration(
    networks={
        network.name: network
        for network in (
            Network(name="ovirtmgmt", nic="eno1"),
            Network(name="storage", bonding="bond0", vlan=100, bridged=False),
            Network(name="vms", bonding="bond0", vlan=200),
            Network(name="alone"),
        )
    },
    bonds={"bond0": Bond(name="bond0", nics=("eno2", "eno3"))},
)
ENO1 = Link(1, "eno1", physical=True)
LONG = 60.0


@pytest.fixture
def watch() -> LinkWatch:
    return LinkWatch(lambda: NETWORKS, NicPatterns())


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(32) as made:
        yield made


def down(link: Link = ENO1, time: float = 5.0) -> Change:
    return Change(link, up=False, time=time)


def times(changes: LinkChanges) -> list[float]:
    return [change.time for change in changes.changes]


def test_devices_of_networks() -> None:
    assert devices_of(NETWORKS) == {
        "eno1": ["ovirtmgmt"],
        "bond0": ["storage", "vms"],
        "bond0.100": ["storage"],
        "bond0.200": ["vms"],
        "eno2": ["storage", "vms"],
        "eno3": ["storage", "vms"],
    }


def test_the_first_question_is_answered_at_once(watch: LinkWatch) -> None:
    watch.tell([down()])
    first = watch.after("", LONG)
    assert (first.changes, first.lost) == ([], False)
    assert watch.after(first.cursor, 0).changes == []


def test_what_happened_between_two_questions_is_told(watch: LinkWatch) -> None:
    cursor = watch.after("", 0).cursor
    watch.tell([down(), Change(Link(5, "bond0.100", kind="vlan", lower=4), up=True, time=6.0)])
    news = watch.after(cursor, LONG)
    assert news.changes == [
        LinkChange(device="eno1", kind="nic", state="down", networks=["ovirtmgmt"], time=5.0),
        LinkChange(device="bond0.100", kind="vlan", state="up", networks=["storage"], time=6.0),
    ]
    assert not news.lost
    assert watch.after(news.cursor, 0).changes == []


def test_devices_that_are_no_networks_are_not_told(watch: LinkWatch) -> None:
    cursor = watch.after("", 0).cursor
    tap = Link(9, "vnet0", kind="tun")
    watch.tell([down(Link(8, "eno9", physical=True)), down(tap), down(Link(6, "vms", "bridge"))])
    assert watch.after(cursor, 0) == LinkChanges(cursor=cursor, changes=[], lost=False)


def waiting(watch: LinkWatch, pool: ThreadPoolExecutor, count: int) -> list[Future[LinkChanges]]:
    """Return questions that are being waited on."""
    cursor = watch.after("", 0).cursor
    questions = [pool.submit(watch.after, cursor, LONG) for _ in range(count)]
    while len(waiters(watch)) < count:
        threading.Event().wait(0.001)
    return questions


def waiters(watch: LinkWatch) -> set[int]:
    return watch._bells


def test_everybody_who_waits_is_woken(watch: LinkWatch, pool: ThreadPoolExecutor) -> None:
    questions = waiting(watch, pool, 32)
    watch.tell([down()])
    assert [times(question.result(LONG)) for question in questions] == [[5.0]] * 32


def test_the_end_wakes_everybody(watch: LinkWatch, pool: ThreadPoolExecutor) -> None:
    questions = waiting(watch, pool, 8)
    watch.end()
    assert [question.result(LONG).changes for question in questions] == [[]] * 8
    cursor = questions[0].result().cursor
    assert watch.after(cursor, LONG).changes == []


def test_who_was_away_too_long_knows_it(watch: LinkWatch) -> None:
    cursor = watch.after("", 0).cursor
    watch.tell([down(time=float(number)) for number in range(KEPT)])
    assert times(watch.after(cursor, LONG)) == [float(number) for number in range(KEPT)]
    watch.tell([down()])
    news = watch.after(cursor, LONG)
    assert (news.changes, news.lost) == ([], True)
    assert not watch.after(news.cursor, 0).lost


def test_more_at_once_than_are_kept(watch: LinkWatch, pool: ThreadPoolExecutor) -> None:
    (question,) = waiting(watch, pool, 1)
    watch.tell([down()] * (KEPT + 1))
    assert question.result(LONG).lost


def test_a_cursor_that_says_nothing_here(watch: LinkWatch) -> None:
    other = LinkWatch(lambda: NETWORKS, NicPatterns()).after("", 0).cursor
    instance = watch.after("", 0).cursor.partition(":")[0]
    strange = ["x", ":", other, instance, f"{instance}:", f"{instance}:1", f"{instance}:-1"]
    strange += [f"{instance}:{'9' * 5000}", f"{instance}:٣", f"{instance}:0:0", " " * 5000]
    for cursor in strange:
        news = watch.after(cursor, LONG)
        assert (news.changes, news.lost) == ([], True), cursor
