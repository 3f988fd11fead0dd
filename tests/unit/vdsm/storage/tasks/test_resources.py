# SPDX-License-Identifier: GPL-2.0-or-later
"""Locks within a host: who waits for whom, in which order, and how long."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vdsm.storage import errors
from vdsm.storage.protocols import Resource
from vdsm.storage.tasks.resources import ResourceLocks

_WAIT_S = 30.0
DOMAIN = Resource.domain("d1")
SHARED = Resource.domain("d1", exclusive=False)


class Holder:
    """A thread that holds resources until it is told to let go."""

    def __init__(self, locks: ResourceLocks, *resources: Resource) -> None:
        self.holds = threading.Event()
        self._let_go = threading.Event()
        self._ended: Future[None] = Future()
        self._locks, self._resources = locks, resources
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        try:
            with self._locks.holding(*self._resources, timeout=_WAIT_S):
                self.holds.set()
                self._let_go.wait(_WAIT_S)
            self._ended.set_result(None)
        except BaseException as error:
            self._ended.set_exception(error)

    def let_go(self) -> None:
        self._let_go.set()
        self._ended.result(_WAIT_S)


@contextmanager
def held(locks: ResourceLocks, *resources: Resource) -> Iterator[Holder]:
    holder = Holder(locks, *resources)
    assert holder.holds.wait(_WAIT_S)
    try:
        yield holder
    finally:
        holder.let_go()


def waiters(locks: ResourceLocks, resource: Resource) -> int:
    state = locks._states.get(resource.key)
    return len(state.waiting) if state else 0


def begin_to_wait(locks: ResourceLocks, resource: Resource) -> Holder:
    """A holder that stands in the queue of a resource that is held."""
    before = waiters(locks, resource)
    holder = Holder(locks, resource)
    while waiters(locks, resource) == before:
        assert not holder.holds.wait(0.001)
    return holder


def test_several_share_a_resource() -> None:
    locks = ResourceLocks()
    with held(locks, SHARED), locks.holding(SHARED, timeout=0):
        assert locks.is_held(DOMAIN)
    assert not locks.is_held(DOMAIN)


@pytest.mark.parametrize(
    ("first", "second"), [(DOMAIN, DOMAIN), (DOMAIN, SHARED), (SHARED, DOMAIN)]
)
def test_who_wants_it_alone_keeps_others_off_and_the_error_names_it(
    first: Resource, second: Resource
) -> None:
    locks = ResourceLocks()
    with (
        held(locks, first),
        pytest.raises(errors.ResourceTimeout, match=r"domain d1 .*0\.01 s") as raised,
        locks.holding(second, timeout=0.01),
    ):
        pytest.fail("it was held by two")
    assert raised.value.code == 851


def test_other_resources_are_not_touched() -> None:
    locks = ResourceLocks()
    with held(locks, DOMAIN), locks.holding(Resource.domain("d2"), Resource.image("d1", "i")):
        assert locks.is_held(DOMAIN)


def test_one_who_wants_it_alone_is_not_starved_by_those_who_share() -> None:
    locks = ResourceLocks()
    first = Holder(locks, SHARED)
    assert first.holds.wait(_WAIT_S)
    writer = begin_to_wait(locks, DOMAIN)
    later = begin_to_wait(locks, SHARED)
    first.let_go()
    assert writer.holds.wait(_WAIT_S)
    assert not later.holds.is_set()
    writer.let_go()
    assert later.holds.wait(_WAIT_S)
    later.let_go()


def test_those_behind_go_on_when_one_gives_up() -> None:
    locks = ResourceLocks()
    with held(locks, SHARED):
        given_up: Future[None] = Future()

        def give_up() -> None:
            with pytest.raises(errors.ResourceTimeout), locks.holding(DOMAIN, timeout=0.2):
                pass
            given_up.set_result(None)

        threading.Thread(target=give_up, daemon=True).start()
        with locks.holding(SHARED, timeout=_WAIT_S):
            given_up.result(_WAIT_S)


def test_nothing_stays_held_after_an_error_or_a_timeout() -> None:
    locks = ResourceLocks(timeout_s=0.01)
    with pytest.raises(RuntimeError), locks.holding(DOMAIN, Resource.pool("p")):
        raise RuntimeError
    with (
        held(locks, Resource(("zz", "last"))),
        pytest.raises(errors.ResourceTimeout),
        locks.holding(DOMAIN, Resource(("zz", "last"))),
    ):
        pass
    assert locks._states == {}


def test_naming_one_twice_holds_it_once_alone() -> None:
    locks = ResourceLocks()
    with (
        locks.holding(SHARED, DOMAIN, SHARED),
        pytest.raises(errors.ResourceTimeout),
        locks.holding(SHARED, timeout=0),
    ):
        pass
    assert locks._states == {}


_RESOURCES = st.builds(Resource, st.sampled_from([("a",), ("b",), ("c",)]), st.booleans())


@settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(_RESOURCES, min_size=1, max_size=3), min_size=2, max_size=6))
def test_holders_of_any_resources_in_any_order_never_wait_for_each_other(
    wanted: list[list[Resource]],
) -> None:
    locks = ResourceLocks(timeout_s=_WAIT_S)
    inside: dict[tuple[str, ...], list[bool]] = {}
    guard = threading.Lock()
    ends: list[Future[None]] = [Future() for _ in wanted]

    def work(resources: list[Resource], end: Future[None]) -> None:
        alone = {r.key: any(s.exclusive for s in resources if s.key == r.key) for r in resources}
        try:
            for _ in range(5):
                with locks.holding(*resources):
                    with guard:
                        for key, exclusive in alone.items():
                            there = inside.setdefault(key, [])
                            assert not there if exclusive else not any(there)
                            there.append(exclusive)
                    with guard:
                        for key, exclusive in alone.items():
                            inside[key].remove(exclusive)
            end.set_result(None)
        except BaseException as error:
            end.set_exception(error)

    for resources, end in zip(wanted, ends, strict=True):
        threading.Thread(target=work, args=(resources, end), daemon=True).start()
    for end in ends:
        end.result(_WAIT_S)
    assert locks._states == {}
