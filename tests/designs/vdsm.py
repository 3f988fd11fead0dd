# SPDX-License-Identifier: GPL-2.0-or-later
"""`python -m designs.vdsm DESIGN DIRECTORY`: vdsm of one of the designs.

Serves calls on the socket `api.sock`, a line of JSON each, {"verb", "args"}: it makes the call to
its helper and answers how that ended, {"outcome": "ok" or the name of the error}.
"""

import json
import os
import socket
import subprocess
import sys
import threading
import time
import uuid
from pathlib import Path
from typing import Any, Protocol

from designs import LOOK_S, processes
from designs.work import Work
from vdsm_contract.errors import (
    ContractError,
    SupervdsmDied,
    SupervdsmTimeout,
    SupervdsmUnavailable,
    VersionMismatch,
)
from vdsm_contract.proxy import Supervdsm

_GONE = (SupervdsmDied, SupervdsmUnavailable, SupervdsmTimeout)
"""How vdsm hears that its helper is not what it was."""


class HelperGone(Exception):
    """The helper has ended, and this vdsm cannot have another one."""


class Caller(Protocol):
    """How vdsm of a design calls. `doomed`: it ends itself as soon as it has answered."""

    doomed: bool

    def call(self, verb: str, args: list[Any]) -> None: ...


class AsBuilt:
    """C: calls, and leaves the rest to the manager."""

    doomed = False

    def __init__(self, place: Path) -> None:
        release = (place / "release").read_text()
        self._work = Supervdsm(place / "svdsm.sock", contract=release).bind(Work)

    def call(self, verb: str, args: list[Any]) -> None:
        getattr(self._work, verb)(*args)


class Legacy:
    """Launches the helper when it is not running, and again when it does not take the key."""

    doomed = False

    def __init__(self, place: Path) -> None:
        self._place = place
        self._lock = threading.Lock()
        self._work: Work | None = None

    def call(self, verb: str, args: list[Any]) -> None:
        if not self._runs():
            with self._lock:
                if not self._runs():
                    self._launch()
        try:
            getattr(self._work, verb)(*args)
        except VersionMismatch:
            with self._lock:
                self._kill()
                self._launch()
            getattr(self._work, verb)(*args)

    def _runs(self) -> bool:
        """By the file that the last helper wrote, whoever launched it."""
        try:
            pid, born = (self._place / "pid").read_text().split()
        except (OSError, ValueError):
            return False
        return self._work is not None and processes.born_at(int(pid)) == born

    def _launch(self) -> None:
        key = str(uuid.uuid4())
        command = [sys.executable, "-m", "designs.helper", "legacy", str(self._place)]
        # As sudo in the background: no child of ours, in a session of its own.
        subprocess.run(["setsid", "--fork", *command, str(os.getpid()), key], check=True)
        for attempt in range(3):
            supervdsm = Supervdsm(self._place / "svdsm.sock", contract=key)
            try:
                supervdsm.service.ping()
            except ContractError:
                if attempt == 2:
                    raise
                time.sleep(1)
            else:
                self._work = supervdsm.bind(Work)
                return

    def _kill(self) -> None:
        self._work = None
        try:
            os.kill(int((self._place / "pid").read_text().split()[0]), 9)
            (self._place / "pid").unlink()
        except (OSError, ValueError, IndexError):
            return


class Forking:
    """A: has forked its helper before it gave up root; without it there is nothing to do."""

    def __init__(self, place: Path) -> None:
        command = [sys.executable, "-m", "designs.helper", "A", str(place), str(os.getpid())]
        self._helper = subprocess.Popen(command)
        self._work = Supervdsm(place / "svdsm.sock", contract="").bind(Work)
        self.doomed = False

    def call(self, verb: str, args: list[Any]) -> None:
        if self._helper.poll() is not None:
            self.doomed = True
            raise HelperGone
        try:
            getattr(self._work, verb)(*args)
        except _GONE:
            self.doomed = True
            raise


class Forked:
    """B: is the helper's child."""

    def __init__(self, place: Path) -> None:
        self._parent = os.getppid()
        self._work = Supervdsm(place / "svdsm.sock", contract="").bind(Work)
        self.doomed = False
        threading.Thread(target=self._look, daemon=True).start()

    def _look(self) -> None:
        while os.getppid() == self._parent:
            time.sleep(LOOK_S)
        os._exit(1)

    def call(self, verb: str, args: list[Any]) -> None:
        if os.getppid() != self._parent:
            self.doomed = True
            raise HelperGone
        try:
            getattr(self._work, verb)(*args)
        except _GONE:
            self.doomed = True
            raise


CALLERS = {"legacy": Legacy, "A": Forking, "B": Forked, "C": AsBuilt}


def serve(connection: socket.socket, caller: Caller) -> None:
    """Answers the calls of one client."""
    with connection, connection.makefile("r") as lines:
        for line in lines:
            request = json.loads(line)
            try:
                caller.call(request["verb"], request["args"])
                outcome = "ok"
            except (ContractError, HelperGone) as error:
                outcome = type(error).__name__
            connection.sendall(json.dumps({"outcome": outcome}).encode() + b"\n")
            if caller.doomed:
                os._exit(1)


def listening(place: Path) -> socket.socket:
    """The manager's socket, or one of our own, whoever had it before."""
    if "LISTEN_FDS" in os.environ:
        return socket.socket(fileno=3)
    path = place / "api.sock"
    path.unlink(missing_ok=True)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.bind(str(path))
    sock.listen(64)
    return sock


def main() -> None:
    design, directory = sys.argv[1:]
    place = Path(directory)
    processes.say_born(place, "vdsm")
    caller: Caller = CALLERS[design](place)
    sock = listening(place)
    while True:
        connection, _ = sock.accept()
        threading.Thread(target=serve, args=(connection, caller), daemon=True).start()


if __name__ == "__main__":
    main()
