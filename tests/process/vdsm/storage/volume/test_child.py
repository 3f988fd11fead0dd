# SPDX-License-Identifier: GPL-2.0-or-later
"""Commands that hang, shout, ignore a term, or are not there at all."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from vdsm.storage import errors
from vdsm.storage.volume import child as module
from vdsm.storage.volume.child import Child, CommandError

DEADLINE_S = 30.0


def shell(script: str, *, timeout_s: float | None = None, grace_s: float = DEADLINE_S) -> Child:
    return Child(("sh", "-c", script), name="script", timeout_s=timeout_s, grace_s=grace_s)


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def pid_of(child: Child) -> int:
    wait_until(lambda: child._process)
    assert child._process
    return child._process.pid


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_how_it_ended_and_what_it_said_is_told() -> None:
    outcome = shell("echo out; echo one >&2; echo two >&2; exit 3").run()
    assert (outcome.status, outcome.stdout, outcome.stderr) == (3, b"out\n", "one; two")


def test_it_gets_no_input_no_secret_and_no_directory_of_vdsms() -> None:
    os.environ["SECRET"] = "x"
    try:
        outcome = shell("pwd; cat; echo $SECRET").run()
    finally:
        del os.environ["SECRET"]
    assert outcome.stdout == b"/\n\n"


def test_progress_is_told_and_the_output_is_not_kept() -> None:
    told: list[float] = []
    child = shell(r"printf '    (1.00/100%%)\r    (50.25/100%%)\r    (100.00/100%%)\r\n'")
    outcome = child.run(told.append)
    assert child.progress == told[-1] == 100.0
    assert outcome.stdout.strip() == b""


def test_an_abort_ends_it() -> None:
    child = shell("exec sleep 1000")
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(child.run)
        pid = pid_of(child)
        child.abort()
        with pytest.raises(errors.TaskAborted):
            running.result(DEADLINE_S)
    assert is_gone(pid)


def test_an_abort_before_the_start_keeps_it_from_starting() -> None:
    child = shell("exit 0")
    child.abort()
    with pytest.raises(errors.TaskAborted):
        child.run()
    assert child._process is None


def test_one_that_takes_too_long_is_ended_with_its_children() -> None:
    child = shell("sleep 1000 & echo $!; wait", timeout_s=0.5)
    with pytest.raises(CommandError, match="did not end within"):
        child.run()
    assert is_gone(pid_of(child))


def test_one_that_ignores_a_term_is_killed() -> None:
    child = shell("trap '' TERM; sleep 1000; sleep 1000", timeout_s=0.5, grace_s=0.3)
    with pytest.raises(CommandError):
        child.run()
    wait_until(lambda: is_gone(pid_of(child)))


def test_one_that_closed_its_output_and_goes_on_is_ended() -> None:
    with pytest.raises(CommandError, match="did not end within"):
        shell("exec >&- 2>&-; exec sleep 1000", timeout_s=0.5).run()


def test_one_that_no_signal_reaches_is_left_and_reaped_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As one that the kernel holds: it cannot be had here, so the signals are withheld."""
    child = shell("exec sleep 1000", timeout_s=0.2, grace_s=0.1)
    with monkeypatch.context() as patch:
        patch.setattr(module.os, "killpg", lambda _pid, _number: None)
        with pytest.raises(CommandError):
            child.run()
    pid = pid_of(child)
    assert not is_gone(pid)
    os.kill(pid, 9)
    wait_until(lambda: is_gone(pid))
    wait_until(lambda: not any(each.name == f"reaper/{pid}" for each in threading.enumerate()))


def test_one_that_shouts_is_ended() -> None:
    with pytest.raises(CommandError, match="wrote more"):
        shell("exec yes").run()


def test_one_that_is_not_there_is_a_typed_error() -> None:
    with pytest.raises(CommandError, match="cannot be started"):
        Child(("/does-not-exist",), name="nothing").run()
