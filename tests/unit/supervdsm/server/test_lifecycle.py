# SPDX-License-Identifier: GPL-2.0-or-later
"""The end of the process."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from supervdsm.server import lifecycle


def test_a_defect_in_what_comes_first_keeps_nothing_from_coming_next(
    caplog: pytest.LogCaptureFixture,
) -> None:
    done = []

    def defect() -> None:
        raise KeyError("on purpose")

    lifecycle._do([defect, lambda: done.append(1)])
    assert done == [1]
    assert "unexpected" in caplog.text
    assert "on purpose" in caplog.text


def test_the_manager_is_asked_for_more_time_while_it_lasts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lifecycle, "_ASK_SECONDS", 0.01)
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(10)
        heard: list[bytes] = []
        lifecycle._do([lambda: heard.append(manager.recv(100))])
        assert heard == [b"EXTEND_TIMEOUT_USEC=30000"]


STUCK = """
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from supervdsm.server.lifecycle import end

ThreadPoolExecutor(1).submit(Event().wait)  # the interpreter would wait for it
sys.stdin.read()
print("the last word")
end(7)
"""


def test_a_process_ends_also_when_nobody_reads_its_log() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", STUCK],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdout.close()  # conmon is gone
        process.stdin.close()
        assert process.wait(10) == 7
    finally:
        process.kill()
        process.wait()
