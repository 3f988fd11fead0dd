# SPDX-License-Identifier: GPL-2.0-or-later
"""The `vdsm` command: reads options and configuration, builds the verbs, and serves."""

from __future__ import annotations

import argparse
import logging
import re
import socket
import sys
from collections.abc import Mapping
from contextlib import closing
from functools import partial
from pathlib import Path

from vdsm import daemon
from vdsm.host.sampling import Sampler
from vdsm.jsonrpc.dispatch import Dispatcher
from vdsm.jsonrpc.events import Events
from vdsm.jsonrpc.pool import WorkerPool
from vdsm.jsonrpc.registry import Lane
from vdsm.jsonrpc.server import Server
from vdsm.jsonrpc.tls import TlsError
from vdsm.network.confirmations import Confirmations
from vdsm.network.link_events import LinkEvents
from vdsm.services import Services
from vdsm.verbs import build_table
from vdsm_contract import config as configuration
from vdsm_contract.paths import CONFIG_DIR, PKI_DIR, SUPERVDSM_SOCKET
from vdsm_contract.proxy import Supervdsm
from vdsm_contract.systemd import Passed, listen_fds, log_to_journal
from vdsm_contract.version import RELEASE

log = logging.getLogger(__name__)


def main(argv: list[str] | None = None) -> int:
    """Runs vdsm until SIGTERM. Returns the exit status: 1 when it could not start."""
    arguments = _parser().parse_args(argv)
    log_to_journal(arguments.log_level)
    try:
        loaded = configuration.load(arguments.config_dir)
        config = loaded.config
        for entry in loaded.without_effect:
            log.warning("%s: %s has no effect here", entry.place, entry.name)
        passed = listen_fds()
        sockets = _sockets(arguments.bind, passed, config)
        measuring = _Measuring(passed.metrics) if passed.metrics else None
        made = measuring.supervdsm if measuring else Supervdsm
        with closing(made(arguments.svdsm_socket)) as supervdsm:
            events = Events()
            sampler = Sampler(interval=config.host_sample_stats_interval)
            services = Services(config, supervdsm, events, sampler=sampler)
            network = supervdsm.network
            with (
                closing(services),
                services.sampler,
                Confirmations(services.clients, network),
                LinkEvents(network, events),
            ):
                daemon.run(
                    config=config,
                    options=daemon.Options(arguments.pki_dir, arguments.drain_timeout),
                    sockets=sockets,
                    table=build_table(services),
                    events=events,
                    watch=partial(measuring.watch, services) if measuring else None,
                )
    except (configuration.ConfigError, TlsError, OSError) as error:
        for line in str(error).splitlines():
            print(f"vdsm: {line}", file=sys.stderr)
        return 1
    return 0


class _Measuring:
    """What counts, and tells it on `sockets`."""

    def __init__(self, sockets: list[socket.socket]) -> None:
        # The library takes a while to import, and memory: not when there is nobody to tell.
        from vdsm.metrics import Metrics

        self._sockets = sockets
        self._metrics = Metrics()

    def supervdsm(self, path: Path) -> Supervdsm:
        from vdsm.metrics import CountedSupervdsm

        return CountedSupervdsm(self._metrics, path)

    def watch(
        self,
        services: Services,
        dispatcher: Dispatcher,
        server: Server,
        pools: Mapping[Lane, WorkerPool],
    ) -> None:
        from vdsm_contract.metrics import MetricsServer

        dispatcher.observe = self._metrics.call
        self._metrics.watch(
            storage=services.storage, pools=pools, connections=lambda: server.connections
        )
        MetricsServer(self._sockets, self._metrics.registry).start()


def _sockets(
    address: tuple[str, int] | None, passed: Passed, config: configuration.Config
) -> list[socket.socket]:
    """systemd's sockets, or one of our own when there are none or one was asked for."""
    if address is None:
        if passed.calls:
            return passed.calls
        address = (config.management_ip, config.management_port)
    return [daemon.bind(*address)]


def _address(text: str) -> tuple[str, int]:
    match = re.fullmatch(r"(?:\[([0-9a-fA-F:.]+)\]|([^:]+)):([0-9]{1,5})", text)
    if not match or int(match[3]) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT or [IPV6]:PORT")
    return match[1] or match[2], int(match[3])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="vdsm",
        description="oVirt's host agent, the unprivileged half: serves its API to the engine.",
        epilog="Without --bind it serves the sockets that systemd passes in.",
    )
    add = parser.add_argument
    add("--version", action="version", version=f"vdsm {RELEASE}")
    add("--bind", type=_address, metavar="HOST:PORT", help="listen here (default: vdsm.conf's)")
    add("--config-dir", type=Path, default=CONFIG_DIR, help="default: %(default)s")
    add("--pki-dir", type=Path, default=PKI_DIR, help="default: %(default)s")
    add(
        "--svdsm-socket",
        type=Path,
        default=SUPERVDSM_SOCKET,
        help="supervdsm's socket (default: %(default)s)",
    )
    add(
        "--drain-timeout",
        type=float,
        default=10.0,
        metavar="SECONDS",
        help="on SIGTERM, how long calls in flight may take (default: %(default)s)",
    )
    levels = [logging.getLevelName(n) for n in (10, 20, 30, 40)]
    add("--log-level", choices=levels, default="INFO", help="default: %(default)s")
    return parser


if __name__ == "__main__":
    sys.exit(main())
