# SPDX-License-Identifier: GPL-2.0-or-later
"""sd_notify and the watchdog's interval."""

import fcntl
import logging
import os
import resource
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from vdsm_contract import flow, systemd


def test_notify_reaches_the_manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        assert systemd.notify("READY=1")
        assert manager.recv(100) == b"READY=1"


def test_notify_to_an_abstract_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind("\0vdsm-test-notify")
        monkeypatch.setenv("NOTIFY_SOCKET", "@vdsm-test-notify")
        assert systemd.notify("WATCHDOG=1")
        assert manager.recv(100) == b"WATCHDOG=1"


def test_no_descriptor_to_notify_with(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", "@vdsm-test-notify")
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, limits[1]))
    try:
        assert not systemd.notify("WATCHDOG=1")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def test_nobody_to_notify(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    assert not systemd.notify("READY=1")
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
    assert not systemd.notify("READY=1")


def test_watchdog_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(systemd.WATCHDOG_ENV, raising=False)
    assert systemd.watchdog_interval() is None
    monkeypatch.setenv(systemd.WATCHDOG_ENV, "1500000")
    assert systemd.watchdog_interval() == 1.5


@pytest.mark.parametrize("text", ["0", "-1", "10s"])
def test_a_wrong_interval_is_an_error(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv(systemd.WATCHDOG_ENV, text)
    with pytest.raises(ValueError, match=text):
        systemd.watchdog_interval()


def test_no_sockets_passed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LISTEN_FDS", raising=False)
    assert systemd.listen_fds() == systemd.Passed(calls=[], metrics=[])


PASSED = """
from vdsm_contract.systemd import listen_fds
import os
passed = listen_fds()
print([s.getsockname()[1] for s in passed.calls], [s.getsockname()[1] for s in passed.metrics])
print([name for name in os.environ if name.startswith("LISTEN")])
"""


@pytest.mark.parametrize(
    ("names", "calls", "metrics"),
    [("metrics:vdsm.socket", [1], [0]), ("vdsm.socket:metrics", [0], [1]), (None, [0, 1], [])],
)
def test_sockets_are_told_apart_by_their_names(
    names: str | None, calls: list[int], metrics: list[int]
) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as first,
        socket.create_server(("127.0.0.1", 0)) as second,
    ):
        fds = [first.fileno(), second.fileno()]
        ports = [first.getsockname()[1], second.getsockname()[1]]
        done = run_with(PASSED, fds, names)
    first_line, second_line = done.splitlines()
    assert first_line == f"{[ports[i] for i in calls]} {[ports[i] for i in metrics]}"
    assert second_line == "[]"


def run_with(script: str, fds: list[int], names: str | None) -> str:
    """Run `script` as systemd would: the descriptors are 3 and 4."""
    # Above those that they shall become, so that none is overwritten before it is copied.
    high = [fcntl.fcntl(fd, fcntl.F_DUPFD, 50) for fd in fds]
    starter = (
        "import os, sys\n"
        f"for number, fd in enumerate({high}, 3): os.dup2(fd, number)\n"
        "os.execv(sys.executable, [sys.executable, '-c', sys.argv[1]])"
    )
    environment = {"PYTHONPATH": str(Path(systemd.__file__).parents[1]), "LISTEN_FDS": "2"}
    if names is not None:
        environment["LISTEN_FDNAMES"] = names
    try:
        return subprocess.run(
            [sys.executable, "-c", starter, script],
            env=environment, pass_fds=high, check=True, capture_output=True, text=True,
        ).stdout  # fmt: skip
    finally:
        for fd in high:
            os.close(fd)


@pytest.mark.parametrize(
    ("flow_id", "message", "line"),
    [
        ("", "hello", "INFO x: hello"),
        ("1a2b", "hello", 'INFO x: hello flow="1a2b"'),
        ("1a2b", 'said flow="1a2b": done', 'INFO x: said flow="1a2b": done'),
        ("1a2b", "first\nsecond", 'INFO x: first flow="1a2b"\nsecond'),
        ('"\nERROR y: forged', "hello", 'INFO x: hello flow="\\"\\nERROR y: forged"'),
    ],
)
def test_a_log_line_ends_with_the_flow_that_it_belongs_to(
    flow_id: str, message: str, line: str, capfd: pytest.CaptureFixture[str]
) -> None:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    try:
        systemd.log_to_journal("INFO")
        with flow.bound(flow_id):
            logging.getLogger("x").info(message)
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
    assert capfd.readouterr().out == f"{line}\n"


LINES = """
import logging
from vdsm_contract import systemd
systemd.log_to_journal("INFO")
log = logging.getLogger("calls")
systemd.log_line(log, logging.INFO, "one", later=True)
systemd.log_line(log, logging.INFO, "two", later=True)
print("-", flush=True)
systemd.log_line(log, logging.INFO, "three")
systemd.log_line(log, logging.INFO, "four", later=True)
log.info("five")
systemd.log_line(log, logging.INFO, "six", later=True)
print("-", flush=True)
systemd.flush_log()
systemd.log_line(log, logging.INFO, "seven", later=True)
for number in range(200):
    systemd.log_line(log, logging.INFO, "many", later=True)
"""


def test_lines_that_may_come_later_keep_their_order_and_none_is_lost() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LINES],
        env={"PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    words = [line.rpartition(" ")[2] for line in done.stdout.splitlines()]
    assert words == [
        "-",
        *["one", "two", "three", "four", "five", "-", "six", "seven"],
        *["many"] * 200,
    ]


CROWD = """
import logging, threading
from vdsm_contract import systemd
systemd.log_to_journal("INFO")
log = logging.getLogger("crowd")
def talk():
    for _ in range(3000):
        log.info("said")
def flush():
    for _ in range(3000):
        systemd.log_line(log, logging.INFO, "later", later=True)
        systemd.flush_log()
threads = [threading.Thread(target=one) for one in (talk, flush, talk, flush)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""


def test_threads_that_log_and_flush_do_not_wait_for_each_other() -> None:
    done = subprocess.run(
        [sys.executable, "-c", CROWD], capture_output=True, text=True, timeout=60, check=True
    )
    assert len(done.stdout.splitlines()) == 12_000


HELD_UP = """
import array, fcntl, logging, sys, termios, threading, time
from vdsm_contract import systemd
systemd.log_to_journal("INFO")
log = logging.getLogger("calls")
writer = threading.Thread(target=systemd.log_line, args=(log, logging.INFO, "x" * 200_000))
writer.start()
held = array.array("i", [0])
while not held[0]:  # until the pipe has some of the line, of which it can take a third
    time.sleep(0.01)
    fcntl.ioctl(1, termios.FIONREAD, held)
for number in range(100):
    systemd.log_line(log, logging.INFO, str(number), later=True)
print("free", file=sys.stderr, flush=True)
writer.join()
"""


def test_a_line_that_may_come_later_does_not_wait_for_a_writer_that_is_held_up() -> None:
    command = [sys.executable, "-c", HELD_UP]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        watch = threading.Timer(60, child.kill)  # what is held up is never free
        watch.start()
        free = child.stderr.readline()
        written = child.stdout.read().splitlines()
        watch.cancel()
    assert free == "free\n"
    assert [line.rpartition(" ")[2] for line in written[1:]] == [str(one) for one in range(100)]
