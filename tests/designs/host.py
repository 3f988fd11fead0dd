# SPDX-License-Identifier: GPL-2.0-or-later
"""A host with one of the designs: what its service manager starts, restarts and kills."""

import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from designs import RESTART_S, WATCHDOG_S, processes
from designs.processes import Watcher

_TESTS = Path(__file__).parents[1]
_ON_FD_3 = (
    "import os,sys;os.dup2(int(sys.argv[1]),3);"
    "os.execv(sys.executable,[sys.executable,*sys.argv[2:]])"
)


class Service:
    """One program that is started, and started again when it ends. `sock`: it gets this socket, and
    is watched: from READY=1 on it must say WATCHDOG=1 again and again."""

    def __init__(
        self, place: Path, module: str, arguments: Sequence[str], sock: socket.socket | None = None
    ) -> None:
        self._place = place
        self._command = ["-m", module, *arguments]
        self._sock = sock
        self._lock = threading.Lock()
        self._stopped = False
        self._process: subprocess.Popen[bytes] | None = None
        self._notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._address = place / f"{module}.notify"
        self._notify.bind(str(self._address))
        self._thread = threading.Thread(target=self._keep_running, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        with self._lock:
            self._stopped = True
            if self._process is not None:
                self._process.kill()
        if self._thread.is_alive():
            self._thread.join()
        self._notify.close()

    def _keep_running(self) -> None:
        while True:
            with self._lock:
                if self._stopped:
                    return
                process = self._process = self._spawn()
                processes.SERVED.add(process.pid)
            self._watch(process)
            process.wait()
            processes.SERVED.discard(process.pid)
            time.sleep(RESTART_S)

    def _watch(self, process: "subprocess.Popen[bytes]") -> None:
        """Kills a process that was ready and says nothing more."""
        heard: float | None = None
        self._notify.settimeout(0.05)
        while process.poll() is None:
            with suppress(TimeoutError):
                said = self._notify.recv(4096)
                if b"WATCHDOG=1" in said or b"READY=1" in said:
                    heard = time.monotonic()
            if heard is not None and time.monotonic() - heard > WATCHDOG_S:
                process.kill()

    def _spawn(self) -> "subprocess.Popen[bytes]":
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": f"{_TESTS.parent / 'src'}:{_TESTS}",
        }
        command = [sys.executable, *self._command]
        fds: list[int] = []
        if self._sock is not None:
            fds = [self._sock.fileno()]
            command = [sys.executable, "-c", _ON_FD_3, str(fds[0]), *self._command]
            environment |= {
                "LISTEN_FDS": "1",
                "NOTIFY_SOCKET": str(self._address),
                "VDSM_WATCHDOG_USEC": str(int(WATCHDOG_S * 1e6)),
            }
        with (self._place / "log").open("ab") as log:
            return subprocess.Popen(
                command,
                env=environment,
                pass_fds=(*fds, *({3} if fds else ())),
                stdout=log,
                stderr=log,
                start_new_session=True,
            )


class Host:
    """One design below a directory of its own."""

    def __init__(self, design: str, place: Path) -> None:
        place.mkdir(parents=True)
        self.design = design
        self.place = place
        self.release("1")
        self.watcher = Watcher(place)
        self._sockets: list[socket.socket] = []
        arguments = [design, str(place)]
        if design == "C":
            self._services = [
                Service(place, "designs.vdsm", arguments, self._listening("api.sock")),
                Service(place, "designs.helper", arguments, self._listening("svdsm.sock")),
            ]
        elif design == "B":
            self._services = [Service(place, "designs.helper", arguments)]
        else:
            self._services = [Service(place, "designs.vdsm", arguments)]

    def _listening(self, name: str) -> socket.socket:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.bind(str(self.place / name))
        sock.listen(128)
        self._sockets.append(sock)
        return sock

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for service in self._services:
            service.stop()
        while living := [pid for role in processes.ROLES for pid in self.watcher.living(role)]:
            self.end(*living)
            time.sleep(0.01)
        self.watcher.close()
        for sock in self._sockets:
            sock.close()

    def start(self, pause_s: float = 0.0) -> None:
        """Starts the services, with a pause between two."""
        for service in self._services:
            service.start()
            time.sleep(pause_s)

    def release(self, release: str) -> None:
        """Puts another release of the code on the disk."""
        (self.place / "release").write_text(release)

    def kill(self, role: str) -> float:
        """SIGKILL to the youngest process of a role, which is gone when this returns; when."""
        pid = self.watcher.living(role)[-1]
        fd = os.pidfd_open(pid)
        self.end(pid)
        killed = time.monotonic()
        select.select([fd], [], [])  # its last thread has ended, and its sockets are closed
        os.close(fd)
        return killed

    @staticmethod
    def end(*pids: int) -> None:
        """SIGKILL to all of them; one that is gone is no error."""
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def ask(self, verb: str, *args: Any) -> str:
        """What a client sees of one call: "ok", the name of an error, or that it lost vdsm."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
            sock.settimeout(30)
            try:
                sock.connect(str(self.place / "api.sock"))
            except OSError:
                return "vdsm refuses"
            try:
                sock.sendall(json.dumps({"verb": verb, "args": args}).encode() + b"\n")
                answer = sock.makefile("r").readline()
            except OSError:
                answer = ""
        return str(json.loads(answer)["outcome"]) if answer else "vdsm is lost"

    def effects(self) -> list[tuple[str, str, str]]:
        """Each effect: the id of the call, the helper's release, "begun" or "done"."""
        try:
            lines = (self.place / "effects").read_text().splitlines()
        except FileNotFoundError:
            return []
        return [(call, release, what) for call, release, what in map(str.split, lines)]
