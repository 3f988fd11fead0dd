# SPDX-License-Identifier: GPL-2.0-or-later
"""The process ring's service manager: holds the listening socket, starts the daemon, restarts
it."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from faults.interface import Faults
from vdsm_contract.proxy import Supervdsm

ROOT = Path(__file__).parents[2]
PYTHONPATH = f"{ROOT / 'src'}:{ROOT / 'tests'}"


class Manager:
    """What systemd is on a host: it owns the socket, starts supervdsm and starts it again."""

    def __init__(self, directory: Path, arguments: tuple[str, ...] = ()) -> None:
        self.path = directory / "svdsm.sock"
        self.effects = directory / "effects"
        self.log = directory / "log"
        self.arguments = arguments
        self.environment: dict[str, str] = {}
        self.states: list[str] = []
        self.exits: list[int] = []
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._sock.bind(str(self.path))
        self.path.chmod(0o666)
        self._sock.listen(128)
        self._notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._notify_path = directory / "notify"
        self._notify.bind(str(self._notify_path))
        self._process: subprocess.Popen[bytes] | None = None
        self._changed = threading.Condition()
        self._spawning = threading.Lock()
        self._stopping = False
        self._threads = [
            threading.Thread(target=self._collect_states, daemon=True),
        ]
        self._threads[0].start()

    def start(self) -> None:
        """Start an instance and keep one running."""
        thread = threading.Thread(target=self._keep_running, daemon=True)
        self._threads.append(thread)
        thread.start()

    def run_once(self) -> "subprocess.Popen[bytes]":
        """Start one instance, which nobody restarts."""
        self._process = self._spawn()
        return self._process

    @property
    def pid(self) -> int:
        """The pid of the instance that runs."""
        self.wait(lambda: self._process is not None and self._process.poll() is None)
        assert self._process is not None
        return self._process.pid

    def kill(self, number: int = signal.SIGKILL) -> int:
        """Send a signal to the instance that runs; return its pid."""
        pid = self.pid
        os.kill(pid, number)
        return pid

    def wait(self, condition: Callable[[], bool], timeout: float = 20) -> None:
        """Wait until `condition` holds; fail with the log when it does not."""
        end = time.monotonic() + timeout
        while not condition():
            if time.monotonic() > end:
                raise AssertionError(f"timed out; the log:\n{self.log.read_text()}")
            with self._changed:
                self._changed.wait(0.02)

    def ready(self, times: int = 1) -> None:
        """Wait until an instance has said READY so many times."""
        self.wait(lambda: sum("READY=1" in state for state in self.states) >= times)

    def ran(self) -> list[str]:
        """Return the effects, in order, without those that tell that a slow one has begun."""
        words = self.effects.read_text().split() if self.effects.exists() else []
        return [word for word in words if not word.endswith(".begun")]

    def stop(self) -> None:
        """Stop everything."""
        with self._spawning:
            self._stopping = True
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        with suppress(OSError):
            self._notify.shutdown(socket.SHUT_RDWR)
        self._notify.close()
        self._sock.close()

    def _keep_running(self) -> None:
        while True:
            with self._spawning:
                if self._stopping:
                    return
                self._process = self._spawn()
            status = self._process.wait()
            with self._changed:
                self.exits.append(status)
                self._changed.notify_all()

    def _spawn(self) -> "subprocess.Popen[bytes]":
        fd = self._sock.fileno()
        start = (
            "import os,sys;"
            f"os.dup2({fd}, 3);"
            "os.execv(sys.executable, [sys.executable, '-m', 'faults.daemon', *sys.argv[1:]])"
        )
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-c", start, *self.arguments],
                env={
                    "PATH": os.environ["PATH"],
                    "PYTHONPATH": PYTHONPATH,
                    "LISTEN_FDS": "1",
                    "NOTIFY_SOCKET": str(self._notify_path),
                    "FAULTS_EFFECTS": str(self.effects),
                    "FAULTS_STATE": str(self.path.parent / "state"),
                    **self.environment,
                },
                pass_fds=(fd, 3),
                stdout=log,
                stderr=log,
            )

    def _collect_states(self) -> None:
        while not self._stopping:
            try:
                state = self._notify.recv(4096).decode()
            except OSError:
                return
            with self._changed:
                self.states.append(state)
                self._changed.notify_all()


@pytest.fixture
def manager() -> Iterator[Manager]:
    """A service manager whose supervdsm is not started yet."""
    # Not pytest's own directory: only root may enter that, and vdsm's uid must connect here.
    with tempfile.TemporaryDirectory(prefix="vdsm-test-") as name:
        directory = Path(name)
        directory.chmod(0o755)
        manager = Manager(directory)
        try:
            yield manager
        finally:
            manager.stop()


@pytest.fixture
def supervdsm(manager: Manager) -> Iterator[Supervdsm]:
    """A proxy to the manager's supervdsm, which is running."""
    manager.start()
    manager.ready()
    proxy = Supervdsm(manager.path)
    yield proxy
    proxy.close()


@pytest.fixture
def faults(supervdsm: Supervdsm) -> Faults:
    """The faulty verbs of the running supervdsm."""
    return supervdsm.bind(Faults)
