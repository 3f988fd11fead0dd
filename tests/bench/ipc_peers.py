# SPDX-License-Identifier: GPL-2.0-or-later
"""The mechanisms that our IPC is compared with, each as a server process and a way to call it.

The server of each is `python ipc_peers.py NAME PATH`, in a process of its own; it makes PATH when
it serves. A peer answers a call of nothing, and one of a host's devices: the same value, made once.
"""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from multiprocessing.managers import BaseManager
from pathlib import Path
from threading import Thread
from typing import Any, Final

import devices

Call = Callable[[], object]
PING_BYTES: Final = 59
"""What our own request of a Ping has; its answer has 18."""
_LENGTH: Final = 8


@dataclass(frozen=True)
class Peer:
    """A server that runs. `connect` gives a thread its way to call: nothing, or `count` devices."""

    connect: Callable[[int], Call]


@contextmanager
def running(name: str, directory: Path) -> Iterator[Peer]:
    """Run the peer `name`."""
    path = directory / name
    if name == "oslo.privsep":  # it starts its daemon itself
        with _privsep() as peer:
            yield peer
        return
    with subprocess.Popen([sys.executable, __file__, name, str(path)]) as process:
        try:
            while not path.exists():
                if process.poll() is not None:
                    raise SystemExit(f"{name} has ended with {process.returncode}")
                time.sleep(0.01)
            yield Peer(_CONNECT[name](path))
        finally:
            process.kill()


# --- raw echo -----------------------------------------------------------------------------------


def serve_echo(path: str) -> None:
    """Answer to N bytes, which begin with how many to answer, with that many; a thread for each."""
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(path)
    listening.listen(128)
    while True:
        sock, _ = listening.accept()
        Thread(target=_echo, args=(sock,), daemon=True).start()


def _echo(sock: socket.socket) -> None:
    kept = b"x" * (32 << 20)
    whole = memoryview(kept)
    while data := sock.recv(65536):
        size = int(data[:_LENGTH])
        sock.sendall(whole[:size])


def _connect_echo(path: Path) -> Callable[[int], Call]:
    def connect(count: int) -> Call:
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(str(path))
        size = len(json.dumps(devices.as_dicts(count), separators=(",", ":"))) if count else 18
        request = (b"%0*d" % (_LENGTH, size)).ljust(PING_BYTES, b"x")

        def small() -> None:
            sock.sendall(request)
            sock.recv(65536)

        def large() -> None:
            sock.sendall(request)
            left = size
            while left:
                left -= len(sock.recv(65536))

        return large if count else small

    return connect


# --- multiprocessing.managers, as upstream's supervdsm ------------------------------------------


class _Target:
    def __init__(self) -> None:
        self._made = cache(devices.as_dicts)

    def ping(self) -> None:
        return

    def devices(self, count: int) -> dict[str, object]:
        return self._made(count)


class _Manager(BaseManager):
    pass


def serve_manager(path: str) -> None:
    """Serve as upstream does: an object behind a manager, with its pickle and an empty key."""
    target = _Target()
    _Manager.register("instance", callable=lambda: target)
    _Manager(path, authkey=b"").get_server().serve_forever()


def _connect_manager(path: Path) -> Callable[[int], Call]:
    _Manager.register("instance")

    def connect(count: int) -> Call:
        manager = _Manager(str(path), authkey=b"")
        manager.connect()
        instance: Any = manager.instance()  # type: ignore[attr-defined]
        return (lambda: instance.devices(count)) if count else instance.ping

    return connect


# --- varlink ------------------------------------------------------------------------------------

_INTERFACE: Final = """\
interface org.example.bench
method Ping() -> ()
method Devices(count: int) -> (capabilities: object)
"""


def serve_varlink(path: str) -> None:
    """Serve by the varlink project's own Python library, with a thread for each connection."""
    import varlink

    directory = Path(f"{path}.d")
    directory.mkdir()
    (directory / "org.example.bench.varlink").write_text(_INTERFACE)
    service = varlink.Service("x", "x", "1", "http://example.org", interface_dir=str(directory))
    made = cache(devices.as_dicts)

    @service.interface("org.example.bench")
    class Bench:
        def Ping(self) -> None:
            return

        def Devices(self, count: int) -> dict[str, object]:
            return {"capabilities": made(count)}

    class Handler(varlink.RequestHandler):  # type: ignore[misc]
        pass

    Handler.service = service
    with varlink.ThreadingServer(f"unix:{path}", Handler) as server:
        server.serve_forever()


def _connect_varlink(path: Path) -> Callable[[int], Call]:
    import varlink

    def connect(count: int) -> Call:
        client = varlink.Client(f"unix:{path}").open("org.example.bench")
        return (lambda: client.Devices(count)) if count else client.Ping

    return connect


# --- oslo.privsep -------------------------------------------------------------------------------


@contextmanager
def _privsep() -> Iterator[Peer]:
    """Let privsep start its daemon by its helper, on a socket of its own, and call it."""
    import privsep_verbs
    from oslo_config import cfg

    helper = Path(sys.executable).with_name("privsep-helper")
    cfg.CONF([], project="bench")
    cfg.CONF.set_override("helper_command", str(helper), group=privsep_verbs.SECTION)
    os.environ["PYTHONPATH"] = os.pathsep.join(sys.path)  # the helper imports the verbs
    privsep_verbs.CONTEXT.start()

    def connect(count: int) -> Call:
        return (lambda: privsep_verbs.devices(count)) if count else privsep_verbs.ping

    try:
        yield Peer(connect)
    finally:
        privsep_verbs.CONTEXT.stop()


# --- all ----------------------------------------------------------------------------------------

NAMES: Final = ("raw echo", "multiprocessing.managers", "varlink", "oslo.privsep")
_CONNECT: Final = {
    "raw echo": _connect_echo,
    "multiprocessing.managers": _connect_manager,
    "varlink": _connect_varlink,
}
_SERVE: Final = {
    "raw echo": serve_echo,
    "multiprocessing.managers": serve_manager,
    "varlink": serve_varlink,
}

if __name__ == "__main__":
    _SERVE[sys.argv[1]](sys.argv[2])
