# SPDX-License-Identifier: GPL-2.0-or-later
"""When workers are looked at, with workers that only tell what is done to them."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from vdsm.storage.outofprocess import keeper
from vdsm.storage.outofprocess.keeper import Keeper

DEADLINE_S = 30.0
NEVER_S = 3600.0


class Worker:
    """Ends when it is killed, and looked at `held` times."""

    held = 0

    def __init__(self, parent: int) -> None:
        self.looks = 0
        self.reaped = threading.Event()

    def kill(self) -> None:
        """The kernel may hold it."""

    def ended(self) -> bool:
        self.looks += 1
        if self.looks > self.held:
            self.reaped.set()
        return self.reaped.is_set()


class Root:
    def __init__(self) -> None:
        self.looked = threading.Event()

    def end_idle(self) -> None:
        self.looked.set()


@pytest.fixture
def root(monkeypatch: pytest.MonkeyPatch) -> Root:
    monkeypatch.setattr(keeper, "WorkerProcess", Worker)
    return Root()


def kept(root: Root, look_s: float) -> Iterator[Keeper]:
    made = Keeper(lambda: [root], look_s)
    yield made
    made.close()


@pytest.fixture
def patient(root: Root) -> Iterator[Keeper]:
    yield from kept(root, NEVER_S)


@pytest.fixture
def quick(root: Root) -> Iterator[Keeper]:
    yield from kept(root, 0.05)


def started(keeper: Keeper) -> Worker:
    worker = keeper.start_worker()
    assert isinstance(worker, Worker)
    return worker


@pytest.mark.parametrize("held", [0, 3])
def test_an_abandoned_worker_is_reaped_as_soon_as_the_kernel_lets_it_go(
    patient: Keeper, held: int
) -> None:
    worker = started(patient)
    worker.held = held
    patient.abandon(worker)  # type: ignore[arg-type]
    assert worker.reaped.wait(DEADLINE_S)


def test_idle_workers_end_however_many_others_are_wanted(quick: Keeper, root: Root) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not root.looked.is_set():
        started(quick)
        assert time.monotonic() < deadline
