# SPDX-License-Identifier: GPL-2.0-or-later
"""TLS handshakes that fail leave no memory behind, without waiting for the garbage collector."""

import asyncio
import gc
import socket
import ssl
import time
from collections.abc import Callable

import pytest

from vdsm.jsonrpc import tls
from vdsm.jsonrpc.events import Events
from vdsm.jsonrpc.limits import Limits
from vdsm.jsonrpc.rpc import Origin, Outcome, Request, Rpc
from vdsm.jsonrpc.server import Server
from vdsm.jsonrpc.tls import Identity

COUNT = 20


class Nobody:
    """No call comes so far."""

    def call(self, request: Request, origin: Origin, done: Callable[[Outcome], None]) -> None:
        raise AssertionError(request)


def fail(port: int, said: bytes) -> None:
    """Begin a handshake and leave, again and again."""
    for _ in range(COUNT):
        with socket.create_connection(("127.0.0.1", port), timeout=20) as sock:
            sock.sendall(said)


def buffers() -> int:
    """How many buffers of TLS there are; a connection has two."""
    return sum(isinstance(each, ssl.MemoryBIO) for each in gc.get_objects())


def wait() -> None:
    """Until the server has seen all of them leave."""
    end = time.monotonic() + 20
    while buffers() and time.monotonic() < end:
        time.sleep(0.02)


async def serve_and_fail(identity: Identity, said: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=64) as sock:
        server = Server(
            sockets=[sock],
            tls=tls.server_context(identity),
            rpc=Rpc(Nobody()),
            events=Events(),
            limits=Limits(),
            name="test",
        )
        server.start()
        await asyncio.to_thread(fail, sock.getsockname()[1], said)
        await asyncio.to_thread(wait)
        server.stop_accepting()
        await server.close()


@pytest.mark.parametrize(
    "said", [b"", b"\x16\x03\x01\x02\x00\x01\x00", b"GET / HTTP/1.1\r\n\r\n\0"]
)
def test_a_failed_handshake_leaves_no_buffer_behind(identity: Identity, said: bytes) -> None:
    gc.collect()
    gc.disable()
    try:
        asyncio.run(serve_and_fail(identity, said))
        assert buffers() == 0
    finally:
        gc.enable()
