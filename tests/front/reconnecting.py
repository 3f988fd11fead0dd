# SPDX-License-Identifier: GPL-2.0-or-later
"""A STOMP client that calls vdsm evenly and connects anew whenever it is cut off; beside the host.

`reconnecting.py ADDRESS PKI RATE`: PKI has the certificates. It prints "serving" when the first
call is answered, and makes RATE calls a second until its stdin ends. Each has an id of its own: its
JSON-RPC id, its correlation id and what it asks vdsm to echo; each tenth goes on to supervdsm. A
call is sent once: when the connection ends before its answer, it is lost and its outcome unknown.
Prints as JSON what became of all of them, see `Seen`.
"""

import asyncio
import contextlib
import itertools
import json
import ssl
import sys
import time
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from vdsm.jsonrpc.limits import MIB, FrameLimits
from vdsm.jsonrpc.stomp import SERVER_COMMANDS, Frame, Parser
from vdsm.jsonrpc.tls import Identity, client_context

REQUESTS = "jms.topic.vdsm_requests"
REPLIES = "jms.topic.vdsm_responses"
LIMITS = FrameLimits(body_bytes=64 * MIB)
PORT = 54321
CONNECT_S = 60.0
WINDOW = 64
"""Calls that wait for their answers at once, as of an engine: the others wait to be sent."""
ANSWER_S = 30.0
"""How long the last calls may take once no more are made."""


@dataclass
class Seen:
    """What became of the calls. Times are in seconds since the client began."""

    run: str = field(default_factory=lambda: uuid.uuid4().hex[:8])
    """What each correlation id begins with."""
    made: int = 0
    served: int = 0
    errors: list[str] = field(default_factory=list)
    """Answered with an error."""
    lost: list[str] = field(default_factory=list)
    """Sent, and the connection ended before the answer: why."""
    twice: list[str] = field(default_factory=list)
    """Answered, though they had an end already."""
    wrong: list[str] = field(default_factory=list)
    """Answered with something else than what they asked for."""
    open: list[str] = field(default_factory=list)
    """Without any end when the client ended."""
    refused: list[str] = field(default_factory=list)
    """Connections that could not be made."""
    connections: int = 0
    gaps: list[tuple[float, float]] = field(default_factory=list)
    """The longest times between two served calls: how long, and when each began."""


class Client:
    """All calls, over one connection after the other."""

    def __init__(self, address: str, pki: Path, rate: float) -> None:
        self._address = address
        self._tls: ssl.SSLContext = client_context(Identity.below(pki), check_name=True)
        self._rate = rate
        self._began = time.monotonic()
        self._waiting: asyncio.Queue[str] = asyncio.Queue()
        self._window = asyncio.Semaphore(WINDOW)
        self._news = asyncio.Event()
        self._sent: set[str] = set()
        self._ended: set[str] = set()
        self._served_at: list[float] = []
        self._stopping = False
        self.seen = Seen()

    async def run(self, stop: asyncio.Event) -> Seen:
        connecting = asyncio.create_task(self._connect())
        await self._make_calls(stop)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ANSWER_S):
                while len(self._ended) < self.seen.made:
                    self._news.clear()
                    await self._news.wait()
        self._stopping = True
        connecting.cancel()
        self.seen.open = sorted(self._all() - self._ended)
        times = self._served_at
        gaps = [(after - before, before) for before, after in itertools.pairwise(times)]
        self.seen.gaps = sorted(gaps, reverse=True)[:60]
        return self.seen

    def _all(self) -> set[str]:
        return {self._name(number) for number in range(self.seen.made)}

    def _name(self, number: int) -> str:
        return f"{self.seen.run}-{number}"

    async def _make_calls(self, stop: asyncio.Event) -> None:
        begin = time.monotonic()
        while not stop.is_set():
            self._waiting.put_nowait(self._name(self.seen.made))
            self.seen.made += 1
            due = begin + self.seen.made / self._rate
            await asyncio.sleep(max(due - time.monotonic(), 0))

    async def _connect(self) -> None:
        """One connection after the other; calls that are not yet sent wait for the next."""
        while True:
            try:
                async with asyncio.timeout(CONNECT_S):
                    reader, writer = await asyncio.open_connection(
                        self._address, PORT, ssl=self._tls, server_hostname=self._address
                    )
            except (OSError, TimeoutError) as error:
                self.seen.refused.append(f"{type(error).__name__}: {error}")
                await asyncio.sleep(0.05)
                continue
            self.seen.connections += 1
            try:
                why = await self._session(reader, writer)
            finally:
                writer.close()
            self._lose(why)

    async def _session(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
        """Send and receive until the connection ends; return why."""
        headers = {"accept-version": "1.2", "host": "vdsm", "heart-beat": "0,0"}
        writer.write(Frame("CONNECT", headers).encode())
        writer.write(Frame("SUBSCRIBE", {"id": "1", "destination": REPLIES}).encode())
        sending = asyncio.create_task(self._send(writer))
        parser = Parser(SERVER_COMMANDS, LIMITS)
        try:
            while data := await reader.read(65536):
                for frame in parser.feed(data):
                    if frame.command == "MESSAGE":
                        self._answered(json.loads(frame.body))
                    elif frame.command == "ERROR":
                        return frame.headers.get("message", "ERROR")
            return "end of stream"
        except OSError as error:
            return type(error).__name__
        finally:
            sending.cancel()

    async def _send(self, writer: asyncio.StreamWriter) -> None:
        while True:
            await self._window.acquire()
            name = await self._waiting.get()
            headers = {"destination": REQUESTS, "reply-to": REPLIES, "ovirtCorrelationId": name}
            writer.write(Frame("SEND", headers, json.dumps(request(name)).encode()).encode())
            self._sent.add(name)

    def _answered(self, answer: dict[str, Any]) -> None:
        name = str(answer.get("id"))
        if name in self._ended:
            self.seen.twice.append(name)
            return
        self._ended.add(name)
        self._news.set()
        self._sent.discard(name)
        self._window.release()
        if "error" in answer:
            self.seen.errors.append(f"{name}: {answer['error']}")
        elif not right(name, answer["result"]):
            self.seen.wrong.append(f"{name}: {answer['result']!r:.100}")
        else:
            self._served()

    def _served(self) -> None:
        if not self.seen.served:
            print("serving", flush=True)
        self.seen.served += 1
        self._served_at.append(time.monotonic() - self._began)

    def _lose(self, why: str) -> None:
        """The connection ended: what was sent and not answered has no other answer to come."""
        if not self._stopping:
            self.seen.lost += [f"{name}: {why}" for name in sorted(self._sent)]
        self._ended |= self._sent
        self._news.set()
        self._sent.clear()
        self._window = asyncio.Semaphore(WINDOW)


def asks_supervdsm(name: str) -> bool:
    return name.endswith("0")


def request(name: str) -> dict[str, Any]:
    if asks_supervdsm(name):
        call: dict[str, Any] = {"method": "Host.getNetworkStatistics", "params": {}}
    else:
        call = {"method": "Host.echo", "params": {"message": name}}
    return {"jsonrpc": "2.0", "id": name, **call}


def right(name: str, result: Any) -> bool:
    return isinstance(result, dict) if asks_supervdsm(name) else result == name


def until_stdin_ends(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> Callable[[], None]:
    def read() -> None:
        if not sys.stdin.buffer.read1():
            loop.remove_reader(sys.stdin.fileno())
            stop.set()

    return read


async def main() -> None:
    address, pki, rate = sys.argv[1:]
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(sys.stdin.fileno(), until_stdin_ends(loop, stop))
    seen = await Client(address, Path(pki), float(rate)).run(stop)
    print(json.dumps(asdict(seen)))


if __name__ == "__main__":
    asyncio.run(main())
