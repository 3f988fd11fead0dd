# SPDX-License-Identifier: GPL-2.0-or-later
"""What a call to vdsm is compared with, in a process of its own: a raw echo over TLS."""

import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

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
def tls_echo(size: int, certificate: Path, key: Path) -> Iterator[Callable[[], object]]:
    """Yield a round trip of `size` bytes over TLS on the loopback."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with _process(TLS_ECHO, str(certificate), str(key)) as ready:
        raw = socket.create_connection(("127.0.0.1", int(ready.read_text())))
        with context.wrap_socket(raw) as sock:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            yield lambda: (sock.sendall(b"x" * size), sock.recv(65536))
