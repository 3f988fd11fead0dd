# SPDX-License-Identifier: GPL-2.0-or-later
"""The crash flows of the map, with the real daemon as a process that is really killed."""

import os
import signal
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from faults.interface import Faults
from process.conftest import Manager
from vdsm_contract.errors import (
    Busy,
    KernelSettingFailed,
    SupervdsmDied,
    SupervdsmUnavailable,
    TimedOut,
    Unexpected,
)
from vdsm_contract.proxy import Supervdsm


def in_thread(function, *args) -> "Future[None]":  # type: ignore[no-untyped-def]
    return ThreadPoolExecutor(1).submit(function, *args)


def test_1_a_call_made_before_supervdsm_starts_is_served(manager: Manager) -> None:
    proxy = Supervdsm(manager.path)
    call = in_thread(proxy.bind(Faults).effect, "early")
    time.sleep(0.3)
    assert not call.done()
    manager.start()
    call.result(timeout=10)
    assert manager.ran() == ["early"]


def test_2_a_declared_error_reaches_the_caller_once(manager: Manager, faults: Faults) -> None:
    with pytest.raises(KernelSettingFailed) as caught:
        faults.raise_declared("declared")
    assert (caught.value.path, caught.value.errno) == ("/sys/none", 22)
    assert manager.ran() == ["declared"]
    assert manager.exits == []


@pytest.mark.parametrize("verb", ["raise_undeclared", "exit"])
def test_2b_an_undeclared_error_is_typed_and_restarts_supervdsm(
    manager: Manager, faults: Faults, verb: str
) -> None:
    slow = in_thread(faults.slow_effect, "in-flight", 0.8, 0.0)
    time.sleep(0.2)
    with pytest.raises(Unexpected) as caught:
        getattr(faults, verb)("undeclared")
    slow.result(timeout=10)  # what was in flight is finished
    manager.wait(lambda: manager.exits == [1])
    assert caught.value.id in manager.log.read_text()
    faults.effect("after")
    assert sorted(manager.ran()) == ["after", "in-flight", "undeclared"]


@pytest.mark.parametrize(("before", "after", "ran"), [(5.0, 0.0, 0), (0.0, 5.0, 1)])
def test_3_killed_during_a_call(
    manager: Manager, faults: Faults, before: float, after: float, ran: int
) -> None:
    call = in_thread(faults.slow_effect, "during", before, after)
    time.sleep(0.5)
    killed = time.monotonic()
    manager.kill()
    with pytest.raises(SupervdsmDied):
        call.result(timeout=10)
    assert time.monotonic() - killed < 1
    faults.effect("after")
    assert manager.ran() == ["during"] * ran + ["after"]


def test_4_killed_before_a_call_nobody_notices(manager: Manager, faults: Faults) -> None:
    faults.effect("one")  # leaves an idle connection, which is dead then
    manager.kill()
    manager.wait(lambda: manager.exits == [-signal.SIGKILL])
    faults.effect("two")
    assert manager.ran() == ["one", "two"]


def test_4_a_call_gives_up_when_nobody_comes(manager: Manager) -> None:
    started = time.monotonic()
    with pytest.raises(SupervdsmUnavailable):
        Supervdsm(manager.path).service.ping()
    assert time.monotonic() - started < 9


@pytest.mark.parametrize("how", ["die", "hang"])
def test_5_a_broken_listening_thread_is_noticed(manager: Manager, how: str) -> None:
    manager.environment["VDSM_WATCHDOG_USEC"] = "1500000"
    manager.start()
    manager.ready()
    Supervdsm(manager.path).bind(Faults).break_listener(how)
    if how == "die":
        manager.wait(lambda: manager.exits == [1])  # restarts by itself
        return
    time.sleep(1.6)  # the probe that was under way, and the failing ones
    manager.states.clear()
    time.sleep(1.6)
    assert not [state for state in manager.states if "WATCHDOG=1" in state]
    stopped = time.monotonic()
    manager.kill(signal.SIGTERM)
    manager.wait(lambda: manager.exits == [0])
    assert time.monotonic() - stopped < 5  # who waits for the hung thread serves nobody


def test_5_a_stopped_process_sends_no_watchdog(manager: Manager) -> None:
    manager.environment["VDSM_WATCHDOG_USEC"] = "600000"
    manager.start()
    manager.wait(lambda: "WATCHDOG=1" in manager.states)
    manager.kill(signal.SIGSTOP)
    time.sleep(0.3)
    manager.states.clear()
    time.sleep(1)
    assert manager.states == []


def test_6_a_dead_client_does_not_stop_its_call(manager: Manager, faults: Faults) -> None:
    pid = os.fork()
    if pid == 0:
        threading.Timer(0.5, lambda: os._exit(0)).start()
        Supervdsm(manager.path).bind(Faults).slow_effect("orphan", 1.0, 0.0)
        os._exit(1)
    assert os.waitpid(pid, 0)[1] == 0
    manager.wait(lambda: manager.ran() == ["orphan"])
    faults.effect("next")


def test_sigterm_finishes_calls_and_loses_none(manager: Manager, faults: Faults) -> None:
    calls = [in_thread(faults.slow_effect, f"slow{n}", 0.5, 0.2) for n in range(4)]
    time.sleep(0.2)
    manager.kill(signal.SIGTERM)
    for call in calls:
        call.result(timeout=10)
    manager.wait(lambda: manager.exits == [0])
    assert sorted(manager.ran()) == ["slow0", "slow1", "slow2", "slow3"]


def test_sigterm_lets_the_child_of_a_call_end_well(manager: Manager, faults: Faults) -> None:
    fifo = manager.path.parent / "fifo"
    os.mkfifo(fifo)
    call = in_thread(faults.read_in_child, str(fifo))
    manager.wait(lambda: len(children_of(manager.pid)) == 2)  # the shell and what it runs
    manager.kill(signal.SIGTERM)
    manager.wait(lambda: "SIGTERM: ending" in manager.log.read_text())
    assert not call.done()
    fifo.write_text("the end")
    call.result(timeout=20)
    manager.wait(lambda: manager.exits == [0])


def children_of(pid: int) -> list[int]:
    """Return the pids of the children of a process, and of theirs."""
    found = []
    for file in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, file.read_text().split()):
            found += [child, *children_of(child)]
    return found


def test_sigterm_under_load_is_never_seen(manager: Manager, faults: Faults) -> None:
    stop = threading.Event()
    made = [0] * 4

    def load(worker: int) -> None:
        while not stop.is_set():
            faults.effect(f"{worker}-{made[worker]}")
            made[worker] += 1

    with ThreadPoolExecutor(4) as pool:
        workers = [pool.submit(load, worker) for worker in range(4)]
        for restart in range(5):
            manager.ready(restart + 1)
            time.sleep(0.2)
            manager.kill(signal.SIGTERM)
        manager.wait(lambda: len(manager.exits) == 5)
        time.sleep(0.3)
        stop.set()
        for worker in workers:
            worker.result(timeout=10)
    ran = manager.ran()
    assert len(ran) == len(set(ran)) == sum(made)
    assert manager.exits == [0] * 5


def test_a_verb_beyond_its_limit_is_answered_and_keeps_its_lock(
    manager: Manager, supervdsm: Supervdsm, faults: Faults
) -> None:
    started = time.monotonic()
    with pytest.raises(TimedOut) as caught:
        faults.overstay("/a", 4.0)
    assert caught.value.limit == 1
    assert time.monotonic() - started < 3
    assert supervdsm.service.health().overdue == ["org.ovirt.supervdsm.faults.Overstay"]
    with pytest.raises(Busy):
        faults.overstay("//a/.", 0.0)  # the same path, spelt otherwise
    faults.overstay("/b", 0.0)
    manager.wait(lambda: supervdsm.service.health().inFlight == 1)
    faults.overstay("/a", 0.0)


def test_a_child_beyond_the_limit_is_killed_with_its_group(faults: Faults) -> None:
    with pytest.raises(TimedOut):
        faults.overstay_in_child(1234.5)
    listing = os.popen("ps -eo args").read()
    assert "sleep 1234.5" not in listing


def test_an_exclusive_lock_refuses_the_second(faults: Faults) -> None:
    first = in_thread(faults.hold, 1.0)
    time.sleep(0.3)
    with pytest.raises(Busy):
        faults.hold(0.0)
    first.result(timeout=5)
    faults.hold(0.0)


def test_a_secret_is_never_logged(manager: Manager, faults: Faults) -> None:
    faults.keep_secret("me", "hunter2")
    log = manager.log.read_text()
    assert "KeepSecret" in log
    assert "********" in log
    assert "hunter2" not in log
