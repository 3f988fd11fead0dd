# SPDX-License-Identifier: GPL-2.0-or-later
"""When the calls of a root are tried, and when they fail at once."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from vdsm.storage.errors import StorageDomainAccessError
from vdsm.storage.outofprocess import operations
from vdsm.storage.outofprocess.keeper import Keeper
from vdsm.storage.outofprocess.process import TookTooLong, WorkerGone
from vdsm.storage.outofprocess.root import Limits, Root

PATH = Path("/rhev/data-center/mnt/server:_export")


class FakeWorker:
    """Does as it is told; held by the kernel until `let_go`."""

    pid = 1

    def __init__(self, server: FakeServer) -> None:
        self._server = server

    def call(self, operation: object, deadline: float, *args: object) -> object:
        return self._server.behave()

    def is_well(self) -> bool:
        return True

    def ended(self) -> bool:
        return not self._server.holds


class FakeServer:
    """Keeper and server in one: `behave` is what an operation does."""

    def __init__(self) -> None:
        self.behave: Callable[[], object] = list
        self.holds = False
        self.started = 0
        self.abandoned: list[Any] = []

    def start_worker(self) -> FakeWorker:
        self.started += 1
        return FakeWorker(self)

    def abandon(self, worker: object) -> None:
        self.abandoned.append(worker)


def hang() -> object:
    raise TookTooLong


def crash() -> object:
    raise WorkerGone


def fail() -> object:
    raise FileNotFoundError(2, "No such file", b"a")


def list_names(root: Root) -> list[bytes]:
    return root.run(operations.names, b"/", b".")


def make_root(server: FakeServer, **limits: Any) -> Root:
    return Root(PATH, cast(Keeper, server), Limits(**limits))


def test_one_worker_does_for_one_call_after_another() -> None:
    server = FakeServer()
    root = make_root(server)
    for behave in (list, fail, list):
        server.behave = behave
        try:
            list_names(root)
        except FileNotFoundError:
            assert behave is fail
    assert (server.started, server.abandoned) == (1, [])


def test_an_operation_that_hangs_is_told_with_the_mount_and_logged_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    server = FakeServer()
    root = make_root(server)
    server.behave = hang
    for _ in range(3):
        with pytest.raises(StorageDomainAccessError, match=f"{PATH}: names did not end"):
            list_names(root)
    server.behave = list
    list_names(root)
    assert [record.getMessage() for record in caplog.records] == [
        f"Storage at {PATH} does not answer",
        f"Storage at {PATH} answers again",
    ]
    assert (server.started, len(server.abandoned)) == (4, 3)


def test_with_many_workers_held_nothing_is_tried_until_the_kernel_lets_one_go() -> None:
    server = FakeServer()
    root = make_root(server, abandoned=3)
    server.behave, server.holds = hang, True
    for _ in range(3):
        with pytest.raises(StorageDomainAccessError, match="did not end"):
            list_names(root)
    for _ in range(3):
        with pytest.raises(StorageDomainAccessError, match="3 operations hang"):
            list_names(root)
    assert server.started == 3
    server.behave, server.holds = list, False
    assert list_names(root) == []


def test_an_error_that_comes_after_a_long_wait_makes_the_root_suspect() -> None:
    server = FakeServer()
    root = make_root(server, stalled_s=0.0)
    server.behave = fail
    with pytest.raises(FileNotFoundError):
        list_names(root)
    assert root._suspect
    server.behave = list
    list_names(root)
    assert not root._suspect


def test_an_operation_that_hangs_while_others_are_answered_makes_nothing_suspect() -> None:
    server = FakeServer()
    root = make_root(server)

    def answer_another_and_hang() -> object:
        server.behave = list
        list_names(root)
        raise TookTooLong

    server.behave = answer_another_and_hang
    with pytest.raises(StorageDomainAccessError, match="did not end"):
        list_names(root)
    assert (root._suspect, len(server.abandoned)) == (False, 1)


def test_a_worker_that_crashes_is_replaced_and_makes_nothing_suspect() -> None:
    server = FakeServer()
    root = make_root(server)
    server.behave = crash
    with pytest.raises(StorageDomainAccessError, match="ended in the middle of names"):
        list_names(root)
    assert (root._suspect, len(server.abandoned)) == (False, 1)


def test_who_waits_for_a_turn_gives_up_when_nothing_ends() -> None:
    server = FakeServer()
    root = make_root(server, workers=1, stalled_s=0.05)
    inner: list[str] = []

    def busy() -> object:
        with pytest.raises(StorageDomainAccessError) as caught:
            list_names(root)
        inner.append(str(caught.value))
        return []

    server.behave = busy
    list_names(root)
    assert "operations hang (1), names is not tried" in inner[0]


def test_who_comes_while_a_suspect_root_is_tried_waits_for_what_becomes_of_it() -> None:
    server = FakeServer()
    root = make_root(server, trial_s=30.0)
    server.behave = hang
    with pytest.raises(StorageDomainAccessError):
        list_names(root)
    trying, answered = threading.Event(), threading.Event()

    def answer_late() -> object:
        server.behave = list
        trying.set()
        answered.wait(30)
        return []

    server.behave = answer_late
    seen: list[list[bytes]] = []
    threads = [threading.Thread(target=lambda: seen.append(list_names(root))) for _ in range(2)]
    threads[0].start()
    trying.wait(30)
    threads[1].start()
    answered.set()
    for thread in threads:
        thread.join(30)
    assert seen == [[], []]


def test_a_closed_root_takes_no_call() -> None:
    root = make_root(FakeServer())
    root.close()
    with pytest.raises(StorageDomainAccessError, match="were ended"):
        list_names(root)
