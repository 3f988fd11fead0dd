# SPDX-License-Identifier: GPL-2.0-or-later
"""What our calls are compared with, each in its own process: raw echoes, and upstream's IPC."""

import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.managers import BaseManager
from pathlib import Path

UNIX_ECHO = """
import socket, sys
listening = socket.socket(socket.AF_UNIX)
listening.bind(sys.argv[1])
listening.listen()
sock, _ = listening.accept()
while data := sock.recv(65536):
    sock.sendall(data)
"""

TLS_ECHO = """
import socket, ssl, sys
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[2], sys.argv[3])
listening = socket.create_server(("127.0.0.1", 0))
with open(sys.argv[1] + ".tmp", "w") as file:
    file.write(str(listening.getsockname()[1]))
import os
os.rename(sys.argv[1] + ".tmp", sys.argv[1])
while True:
    sock, _ = listening.accept()
    sock = context.wrap_socket(sock, server_side=True)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    while data := sock.recv(65536):
        sock.sendall(data)
"""

MANAGER = """
import sys
from multiprocessing.managers import BaseManager
class Target:
    def ping(self):
        return True
class Manager(BaseManager):
    pass
target = Target()
Manager.register("instance", callable=lambda: target)
Manager(sys.argv[1], authkey=b"").get_server().serve_forever()
"""


@contextmanager
def _process(program: str, *arguments: str) -> Iterator[Path]:
    """Run `program` with a path that it makes when it is ready."""
    with tempfile.TemporaryDirectory() as directory:
        ready = Path(directory) / "peer"
        process = subprocess.Popen([sys.executable, "-c", program, str(ready), *arguments])
        try:
            while not ready.exists():
                time.sleep(0.01)
            time.sleep(0.1)  # from bind to listen
            yield ready
        finally:
            process.kill()
            process.wait()


@contextmanager
def unix_echo(size: int) -> Iterator[Callable[[], object]]:
    """Yield a round trip of `size` bytes over AF_UNIX with nothing on either side but the bytes."""
    with _process(UNIX_ECHO) as path, socket.socket(socket.AF_UNIX) as sock:
        sock.connect(str(path))
        yield lambda: (sock.sendall(b"x" * size), sock.recv(65536))


@contextmanager
def tls_echo(size: int, certificate: Path, key: Path) -> Iterator[Callable[[], object]]:
    """Yield a round trip of `size` bytes over TLS on the loopback."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with _process(TLS_ECHO, str(certificate), str(key)) as ready:
        raw = socket.create_connection(("127.0.0.1", int(ready.read_text())))
        with context.wrap_socket(raw) as sock:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            yield lambda: (sock.sendall(b"x" * size), sock.recv(65536))


class _Manager(BaseManager):
    pass


_Manager.register("instance")


@contextmanager
def upstream_manager() -> Iterator[Callable[[], object]]:
    """Yield a call as upstream's supervdsm serves it: multiprocessing.managers over AF_UNIX."""
    with _process(MANAGER) as path:
        manager = _Manager(str(path), authkey=b"")
        manager.connect()
        yield manager.instance().ping  # type: ignore[attr-defined]
