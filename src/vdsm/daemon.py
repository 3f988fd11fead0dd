# SPDX-License-Identifier: GPL-2.0-or-later
"""vdsm's life: serve, tell systemd, reload the certificates, drain, end.

SIGTERM and SIGINT drain: no new connections and no new requests, calls in flight are finished and
answered within a time limit, then the exit status is 0. SIGHUP loads the TLS files again.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import ssl
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeAlias

from vdsm.jsonrpc import schema, tls
from vdsm.jsonrpc.dispatch import Dispatcher
from vdsm.jsonrpc.events import Events
from vdsm.jsonrpc.limits import Limits, PoolLimits
from vdsm.jsonrpc.pool import WorkerPool
from vdsm.jsonrpc.registry import Lane, Registry
from vdsm.jsonrpc.rpc import Rpc
from vdsm.jsonrpc.server import Server, address
from vdsm_contract import systemd
from vdsm_contract.config import Config
from vdsm_contract.version import RELEASE

log = logging.getLogger(__name__)

# Verbs that wait for nothing: they end at once, and few threads do for many clients.
_LOCAL = PoolLimits(workers=2, tasks_per_worker=50)
_STORAGE_STUCK_S = 3600.0  # one call may name many dead servers, each of which takes minutes

# Calls on a dead domain hold as many workers as it has worker processes, until they fail; the
# others are for the domains that are well. oVirt's, too, replaces workers that are blocked.
_STORAGE_TIMES = 3

# supervdsm changes the network once at a time and refuses a second change at once: one worker
# waits for the engine with the first, another one is there to say so. A change has 900 s.
_NETWORK = PoolLimits(workers=4, tasks_per_worker=20, stuck_s=1800.0)

Watch: TypeAlias = Callable[[Dispatcher, Server, Mapping[Lane, WorkerPool]], None]


@dataclass(frozen=True, slots=True)
class Options:
    """How this vdsm is run; what the operator configures is in `Config`. Times are in seconds."""

    pki: Path
    drain_s: float = 10.0
    limits: Limits = field(default_factory=Limits)


def bind(host: str, port: int) -> socket.socket:
    """A listening TCP socket; `::` takes IPv4 as well. Raises OSError."""
    try:
        host.encode("idna")
    except UnicodeError:
        raise OSError(f"{host!r} is no host name") from None
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    dual = family == socket.AF_INET6 and host == "::" and socket.has_dualstack_ipv6()
    return socket.create_server(
        (host, port), family=family, backlog=128, dualstack_ipv6=dual, reuse_port=False
    )


def run(
    *,
    config: Config,
    options: Options,
    sockets: list[socket.socket],
    table: Registry,
    events: Events,
    ready: Callable[[], bool] = lambda: True,
    watch: Watch | None = None,
) -> None:
    """Serves until a signal; `watch` is told what is made before it serves. Raises tls.TlsError
    when the TLS files cannot be used."""
    asyncio.run(_Daemon(config, options, sockets, table, events, ready, watch).serve())


class _Daemon:
    def __init__(
        self,
        config: Config,
        options: Options,
        sockets: list[socket.socket],
        table: Registry,
        events: Events,
        ready: Callable[[], bool],
        watch: Watch | None,
    ) -> None:
        self._watch = watch
        self._config = config
        self._options = options
        self._sockets = sockets
        self._table = table
        self._events = events
        self._ready = ready

    async def serve(self) -> None:
        loop = asyncio.get_running_loop()
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        pools = self._pools()
        dispatcher = Dispatcher(
            schema=schema.load(), registry=self._table, pools=pools, loop=loop, ready=self._ready
        )
        server = Server(
            sockets=self._sockets,
            tls=self._tls(),
            rpc=Rpc(dispatcher),
            events=self._events,
            limits=self._options.limits,
            name=f"vdsm/{RELEASE}",
        )
        if self._watch is not None:
            self._watch(dispatcher, server, pools)
        loop.add_signal_handler(signal.SIGHUP, self._reload, server)
        for pool in pools.values():
            pool.start()
        server.start()
        self._announce()
        watchdog = asyncio.create_task(_watchdog(pools.values()))
        await stop.wait()
        await self._drain(server, dispatcher)
        watchdog.cancel()
        for pool in pools.values():
            pool.stop()

    def _pools(self) -> dict[Lane, WorkerPool]:
        limits = PoolLimits(self._config.worker_threads, self._config.tasks_per_worker)
        return {
            Lane.LOCAL: WorkerPool(_LOCAL),
            Lane.HOST: WorkerPool(limits),
            Lane.STORAGE: WorkerPool(
                replace(limits, workers=_STORAGE_TIMES * limits.workers, stuck_s=_STORAGE_STUCK_S)
            ),
            Lane.NETWORK: WorkerPool(_NETWORK),
        }

    def _announce(self) -> None:
        names = ", ".join(str(address(sock.getsockname())) for sock in self._sockets)
        how = "TLS" if self._config.ssl else "plain TCP, for this host only,"
        log.info("vdsm %s serves %d verbs with %s on %s", RELEASE, len(self._table), how, names)
        systemd.settle()
        systemd.notify(f"READY=1\nSTATUS=Serving on {names}")

    def _tls(self) -> ssl.SSLContext | None:
        if not self._config.ssl:
            return None
        return tls.server_context(tls.Identity.below(self._options.pki))

    def _reload(self, server: Server) -> None:
        """Takes renewed certificates; a set that cannot be used leaves the old one in place."""
        try:
            server.tls = self._tls()
        except tls.TlsError as error:
            log.error("The TLS files are not reloaded: %s", error)  # noqa: TRY400
        else:
            log.info("The TLS files are reloaded; new connections use them")

    async def _drain(self, server: Server, dispatcher: Dispatcher) -> None:
        """Finishes what was begun. Calls that do not end in time are left behind, and logged."""
        systemd.notify("STOPPING=1\nSTATUS=Finishing calls in flight")
        log.info("Stopping; %d calls are in flight", dispatcher.in_flight)
        server.stop_accepting()
        try:
            async with asyncio.timeout(self._options.drain_s):
                await dispatcher.drained()
        except TimeoutError:
            count, limit = dispatcher.in_flight, self._options.drain_s
            log.warning("%d calls did not end within %g s and are left behind", count, limit)
        await server.close()
        log.info("Stopped")


async def _watchdog(pools: Collection[WorkerPool]) -> None:
    """Tells systemd that the loop and the workers turn, twice in each of its intervals."""
    interval = systemd.watchdog_interval()
    if interval is None:
        return
    while True:
        if all(pool.turns() for pool in pools):
            systemd.notify("WATCHDOG=1")
        else:
            log.error("A worker pool is stuck; the watchdog is not told that all is well")
        await asyncio.sleep(interval / 2)
