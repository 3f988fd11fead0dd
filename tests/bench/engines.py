# SPDX-License-Identifier: GPL-2.0-or-later
"""Calls of engines to vdsm, against an echo: `engines.py [--quick]`.

As plain processes, without a container: the real vdsm, and an asyncio server that sends back what
it gets, with the same TLS context, in turns. The same asyncio client calls both: 1, 10 or 100
connections, each with one call at a time, over TLS and without.
"""

import argparse
import asyncio
import json
import os
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Final

import ipc
import stats
from measure import REPEATS, in_turns
from stats import Summary

from front import manager, pki
from vdsm.jsonrpc.tls import Identity, client_context, server_context

CLIENTS: Final = (1, 10, 100)
SECONDS: Final = 1.5
OURS: Final = "vdsm, Host.ping2"
FLOOR: Final = "raw asyncio echo"

_HELLO: Final = (
    b"CONNECT\naccept-version:1.2\nhost:localhost\nheart-beat:0,0\n\n\0"
    b"SUBSCRIBE\nid:1\ndestination:jms.topic.vdsm_responses\nack:auto\nreceipt:1\n\n\0"
)
_CALL: Final = json.dumps(
    {"jsonrpc": "2.0", "id": "0b5aa8f4-5aae-4f5a-9d29-0d0f3a2b6d11", "method": "Host.ping2"}
).encode()
REQUEST: Final = (
    b"SEND\ndestination:jms.topic.vdsm_requests\nreply-to:jms.topic.vdsm_responses\n"
    b"ovirtCorrelationId:5f2b\ncontent-length:%d\n\n%s\0" % (len(_CALL), _CALL)
)


class Calling(asyncio.Protocol):
    """A connection that calls, and calls again when it has the answer, until `end`."""

    def __init__(self, times: list[float], *, greets: bool) -> None:
        self._times = times
        self._greets = greets
        self._frames = 2 if greets else 0  # CONNECTED and RECEIPT
        self._sent = 0.0
        self.end = 0.0
        self.ready = asyncio.get_running_loop().create_future()
        self.done = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        if self._greets:
            transport.write(_HELLO)
        else:
            self.ready.set_result(None)

    def data_received(self, data: bytes) -> None:
        if self._frames:
            self._frames -= data.count(b"\0")
            if not self._frames:
                self.ready.set_result(None)
            return
        if not data.endswith(b"\0"):
            return  # the rest comes
        now = time.perf_counter()
        self._times.append(now - self._sent)
        if now < self.end:
            self.call()
        else:
            self.done.set_result(None)
            self._transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        for future in (self.ready, self.done):
            if not future.done():
                future.set_exception(ConnectionError(f"the connection ended: {error}"))

    def call(self) -> None:
        """Make a call."""
        self._sent = time.perf_counter()
        self._transport.write(REQUEST)


async def calls(
    port: int, context: ssl.SSLContext | None, clients: int, seconds: float, *, greets: bool
) -> Summary:
    """Call from so many connections for a while."""
    loop = asyncio.get_running_loop()
    times: list[float] = []
    made = [
        (
            await loop.create_connection(
                lambda: Calling(times, greets=greets), "127.0.0.1", port, ssl=context
            )
        )[1]
        for _ in range(clients)
    ]
    for one in made:
        await one.ready
    begin = time.perf_counter()
    for one in made:
        one.end = begin + seconds
        one.call()
    await asyncio.gather(*(one.done for one in made))
    return stats.summary(times, time.perf_counter() - begin)


def run(
    port: int, context: ssl.SSLContext | None, clients: int, seconds: float, *, greets: bool
) -> Summary:
    """Call in a loop of its own."""
    return asyncio.run(calls(port, context, clients, seconds, greets=greets))


# --- the servers --------------------------------------------------------------------------------


@contextmanager
def vdsm(directory: Path, svdsm: Path, *, tls: bool) -> Iterator[manager.Manager]:
    """Run vdsm, with the certificates below `directory`, or without TLS."""
    own = directory / ("tls" if tls else "plain")
    (own / "conf").mkdir(parents=True)
    (own / "conf/vdsm.conf").write_text(f"[vars]\nssl = {str(tls).lower()}\n")
    with manager.Manager(own) as front:
        front.start_module(
            "vdsm", "--pki-dir", str(directory / "pki"), "--svdsm-socket", str(svdsm),
            "--config-dir", str(own / "conf"),
        )  # fmt: skip
        yield front


@contextmanager
def echo(directory: Path, *, tls: bool) -> Iterator[int]:
    """Run the echo; yield its port."""
    words = [sys.executable, __file__, "--echo", str(directory / "pki") if tls else ""]
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    ) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.kill()


class Echo(asyncio.Protocol):
    """Sends back what it gets."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._transport.write(data)


async def serve_echo(pki_dir: str) -> None:
    """Serve for ever; print the port."""
    context = server_context(Identity.below(Path(pki_dir))) if pki_dir else None
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Echo, "127.0.0.1", 0, ssl=context)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a look, not a measurement")
    parser.add_argument("--echo", metavar="PKI", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.echo is not None:
        asyncio.run(serve_echo(options.echo))
        return
    seconds, repeats = (0.3, 2) if options.quick else (SECONDS, REPEATS)
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        identity = pki.make(directory / "pki")
        stack.enter_context(ipc.supervdsm(directory))
        for tls in (True, False):
            context = client_context(identity, check_name=False) if tls else None
            front = stack.enter_context(vdsm(directory, directory / "svdsm.sock", tls=tls))
            floor = stack.enter_context(echo(directory, tls=tls))
            for clients in CLIENTS:
                contenders: dict[str, Callable[[], Summary]] = {
                    OURS: partial(run, front.port, context, clients, seconds, greets=True),
                    FLOOR: partial(run, floor, context, clients, seconds, greets=False),
                }
                in_turns(
                    "stomp", "TLS, clients" if tls else "plain, clients", clients, contenders,
                    floor=FLOOR, repeats=repeats,
                )  # fmt: skip


if __name__ == "__main__":
    main()
