# SPDX-License-Identifier: GPL-2.0-or-later
"""What systemd is to vdsm: owns the listening socket, starts the daemon, hears that it is ready."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

ROOT = Path(__file__).parents[2]
_START = (
    "import os,sys;os.dup2(int(sys.argv[1]), 3);"
    "os.execv(sys.executable, [sys.executable, '-m', *sys.argv[2:]])"
)


class Manager:
    """One listening socket on the loopback, and the daemon that serves it."""

    def __init__(self, directory: Path, pki: Path | None = None, host: str = "127.0.0.1") -> None:
        self.directory = directory
        self.pki = pki
        self.log = directory / "log"
        self.limits: dict[str, float] = {}
        self.frame: dict[str, int] = {}
        self.drain_s = 10.0
        self.environment: dict[str, str] = {}
        self.sock = socket.create_server((host, 0), backlog=256)
        self.port: int = self.sock.getsockname()[1]
        self.process: subprocess.Popen[bytes] | None = None
        self._notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._notify.bind(str(directory / "notify"))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.open_gate()
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._notify.close()
        self.sock.close()

    def start(self) -> Self:
        """Starts the daemon with the test's verbs and waits until it is ready."""
        options = {
            "directory": str(self.directory),
            "pki": str(self.pki),
            "ssl": self.pki is not None,
            "drain_s": self.drain_s,
            "limits": self.limits,
            "frame": self.frame,
        }
        return self.start_module("front.verbs", json.dumps(options))

    def start_module(self, *command: str) -> Self:
        """Starts `python -m COMMAND` on the socket and waits until it says READY=1."""
        environment = {
            **os.environ,
            **self.environment,
            "PYTHONPATH": f"{ROOT / 'src'}:{ROOT / 'tests'}",
            "NOTIFY_SOCKET": str(self.directory / "notify"),
            "LISTEN_FDS": "1",
            "LISTEN_PID": "1",  # wrong on purpose, as in a container with the host's pid namespace
        }
        fd = self.sock.fileno()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", _START, str(fd), *command],
                pass_fds=(fd,),
                env=environment,
                stdout=log,
                stderr=log,
            )
        self.expect("READY=1")
        return self

    def expect(self, state: str, timeout: float = 20) -> None:
        """Waits until the daemon has told its manager `state`."""
        end = time.monotonic() + timeout
        while (remaining := end - time.monotonic()) > 0:
            self._notify.settimeout(remaining)
            try:
                if state in self._notify.recv(4096).decode().split("\n"):
                    return
            except TimeoutError:
                break
        raise AssertionError(f"never heard {state}; the log:\n{self.log.read_text()}")

    def open_gate(self) -> None:
        """Lets the calls that wait come to their end."""
        (self.directory / "gate").touch()

    def effects(self) -> list[str]:
        """The flow ids of the Host.echo calls that ran."""
        file = self.directory / "effects"
        return file.read_text().split() if file.exists() else []

    def terminate(self, timeout: float = 20) -> int:
        """SIGTERM; returns the exit status."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout)

    def resident_kib(self) -> int:
        assert self.process is not None
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0])

    def wait_for_log(self, text: str, timeout: float = 20) -> None:
        """Waits until the daemon has logged `text`."""
        end = time.monotonic() + timeout
        while text not in self.log.read_text():
            if time.monotonic() > end:
                raise AssertionError(f"{text!r} is not in the log:\n{self.log.read_text()}")
            time.sleep(0.02)
