# SPDX-License-Identifier: GPL-2.0-or-later
"""The daemon: `supervdsm`. Gives up privileges, builds the rooms and the table, takes systemd's
socket, and serves."""

import argparse
import logging
import os
import socket
import stat
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from supervdsm.host.room import HostRoom
from supervdsm.network.room import NetworkRoom
from supervdsm.server import privileges, table
from supervdsm.server.dispatch import Dispatcher
from supervdsm.server.introspect import Introspection
from supervdsm.server.lifecycle import Lifecycle, end
from supervdsm.server.listen import Listener
from supervdsm.server.peer import Admission
from supervdsm.server.service import ServiceRoom
from supervdsm.storage.room import StorageRoom
from vdsm_contract import paths, systemd
from vdsm_contract.declare import Interface
from vdsm_contract.version import CONTRACT_VERSION, RELEASE

_log: Final = logging.getLogger("supervdsm")
_BACKLOG: Final = 512
DRAIN_SECONDS: Final = 20.0
"""How long calls in flight may take at the end: less than what the unit waits for us."""

_EXAMPLES: Final = """\
examples:
  supervdsm                                  serve the socket that systemd passed in
  supervdsm --bind /run/vdsm/svdsm.sock      listen by itself, without systemd
  supervdsm --verbs                          print the table of all verbs
"""


def main(
    argv: Sequence[str] | None = None,
    extra_rooms: Sequence[Interface] = (),
    network: NetworkRoom | None = None,
) -> int:
    """Run supervdsm; `extra_rooms` are served beside the usual ones, `network` in the place of its
    own."""
    options = _parser().parse_args(argv)
    systemd.log_to_journal(options.log_level)
    if not options.verbs:
        try:
            privileges.reduce()  # before the first thread
        except OSError as error:
            print(f"supervdsm: it would keep too many privileges: {error}", file=sys.stderr)
            return 1
    lifecycle = Lifecycle(drain_seconds=options.drain_seconds)
    dispatcher = Dispatcher(table=table.Table(), fail=lifecycle.fail)
    listeners: list[Listener] = []
    service = ServiceRoom(
        calls=dispatcher.calls,
        connections=lambda: sum(listener.connections() for listener in listeners),
        draining=lambda: lifecycle.draining,
    )
    storage = StorageRoom(data_center=options.data_center)
    network = network or NetworkRoom()
    lifecycle.at_drain.append(network.end_watches)
    rooms: list[Interface] = [service, HostRoom(), storage, network, *extra_rooms]
    dispatcher.table = table.build(rooms)
    if options.verbs:
        print(table.as_text(dispatcher.table))
        return 0
    passed = systemd.listen_fds()
    sock = _listening_socket(passed, options.bind)
    if sock is None:
        print("supervdsm: systemd passed no socket: use --bind PATH", file=sys.stderr)
        return 2
    listener = Listener(
        sock=sock,
        dispatcher=dispatcher,
        introspection=Introspection({room.INTERFACE: type(room).__mro__[1] for room in rooms}),
        admission=Admission(options.vdsm_uid, options.vdsm_cgroup),
    )
    listeners.append(listener)
    if passed.metrics:
        _serve_metrics(passed.metrics, dispatcher, listener)
    _log.info("supervdsm %s, contract %s, pid %d", RELEASE, CONTRACT_VERSION, os.getpid())
    return lifecycle.run(listener, first=[network.before_serving])


def console() -> None:
    """Entry of the console script: ends the process also when a thread is stuck in the kernel."""
    end(main())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="supervdsm",
        description="The privileged half of the pair: serves vdsm's verbs on a varlink socket.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--bind", type=Path, metavar="PATH", help="listen on PATH when systemd passes no socket"
    )
    parser.add_argument(
        "--vdsm-uid",
        type=int,
        default=paths.VDSM_UID,
        metavar="UID",
        help="the uid, besides root's, that may call (default: %(default)s)",
    )
    parser.add_argument(
        "--vdsm-cgroup",
        default=paths.VDSM_CGROUP,
        metavar="PATH",
        help="the cgroup2 path that this uid must call from (default: %(default)s)",
    )
    parser.add_argument(
        "--data-center",
        type=Path,
        default=paths.DATA_CENTER,
        metavar="DIR",
        help="the tree that storage may be mounted below (default: %(default)s)",
    )
    parser.add_argument(
        "--drain-seconds",
        type=float,
        default=DRAIN_SECONDS,
        metavar="SECONDS",
        help="how long calls in flight may take at the end (default: %(default)s)",
    )
    parser.add_argument(
        "--log-level",
        default="INFO",
        choices=["DEBUG", "INFO", "WARNING", "ERROR"],
        help="what is logged (default: %(default)s)",
    )
    parser.add_argument("--verbs", action="store_true", help="print the table of verbs and end")
    parser.add_argument("--version", action="version", version=f"supervdsm {RELEASE}")
    return parser


def _serve_metrics(
    sockets: list[socket.socket], dispatcher: Dispatcher, listener: Listener
) -> None:
    """Count, and tell what was counted on `sockets`."""
    # The library takes a while to import, and memory: not when there is nobody to tell.
    from supervdsm.server.metrics import Metrics
    from vdsm_contract.metrics import MetricsServer

    metrics = Metrics(dispatcher, listener.connections)
    dispatcher.metrics = metrics
    dispatcher.locks.waited = metrics.lock_wait
    MetricsServer(sockets, metrics.registry).start()


def _listening_socket(passed: systemd.Passed, bind: Path | None) -> socket.socket | None:
    if passed.calls:
        return passed.calls[0]
    return _bind(bind) if bind else None


def _bind(path: Path) -> socket.socket:
    """Listen on `path`, which only vdsm's group and root may open. A dead socket is replaced."""
    if path.exists() and stat.S_ISSOCK(path.stat().st_mode) and not _served(path):
        path.unlink()
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    umask = os.umask(0o117)
    try:
        sock.bind(str(path))
    finally:
        os.umask(umask)
    if os.geteuid() == 0:
        os.chown(path, 0, paths.KVM_GID)
    sock.listen(_BACKLOG)
    return sock


def _served(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        try:
            sock.connect(str(path))
        except OSError:
            return False
        return True
