# SPDX-License-Identifier: GPL-2.0-or-later
"""Metrics over HTTP, in the OpenMetrics text format, on a socket that systemd passed in.

What is counted is each daemon's own; this is the server, and the buckets that both use. Only a
daemon that has such a socket imports this module, and with it the client library.

Whoever may connect is hostile: only `GET /metrics` is answered, by few threads, within a deadline,
and nothing of a request reaches the log.
"""

import logging
import socket
import threading
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, HTTPServer
from socketserver import BaseServer, ThreadingMixIn
from typing import Any, Final

from prometheus_client import (
    CollectorRegistry,
    Info,
    MetricsHandler,
    ProcessCollector,
    disable_created_metrics,
)

from vdsm_contract.version import CONTRACT_VERSION, RELEASE

_log: Final = logging.getLogger(__name__)

CONNECTIONS: Final = 4
"""Requests that are served at a time; others wait in the socket."""

DEADLINE: Final = 10.0
"""Seconds from accepting a connection to its end, whatever its peer does."""

_PATH: Final = "/metrics"
_OPENMETRICS: Final = "application/openmetrics-text"
_FOREVER: Final = 3600.0

SECONDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 1.0, 5.0, 30.0, 120.0)
"""Buckets of the histograms of durations: from a call that does nothing to one that is stuck."""

OTHER: Final = "other"
"""The label of what is in no table: names that came from outside are never labels."""


def new_registry(daemon: str) -> CollectorRegistry:
    """Return a registry that tells of the process (start, memory, descriptors, CPU time), and
    which release of `daemon` runs."""
    disable_created_metrics()  # type: ignore[no-untyped-call]  # when it began is not asked
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    info = Info(daemon, "The release, and the contract of the pair.", registry=registry)
    info.info({"release": RELEASE, "contract": CONTRACT_VERSION})
    return registry


class MetricsServer:
    """Serves `registry` on listening sockets, in threads of its own, until the process ends."""

    def __init__(
        self,
        sockets: list[socket.socket],
        registry: CollectorRegistry,
        *,
        connections: int = CONNECTIONS,
        deadline: float = DEADLINE,
    ) -> None:
        handler = _Handler.factory(registry)
        self._servers = [_Server(sock, handler, connections, deadline) for sock in sockets]

    def start(self) -> None:
        """Start to serve."""
        for server in self._servers:
            threading.Thread(
                # It is never asked to stop, so it need not look whether it was.
                target=server.serve_forever,
                args=(_FOREVER,),
                name="metrics",
                daemon=True,
            ).start()


class _Server(ThreadingMixIn, HTTPServer):
    """An HTTP server on a socket that listens already."""

    daemon_threads = True

    def __init__(
        self,
        sock: socket.socket,
        handler: type[BaseHTTPRequestHandler],
        connections: int,
        deadline: float,
    ) -> None:
        # Not HTTPServer's own: that makes a socket, which vdsm's list of system calls forbids.
        BaseServer.__init__(self, sock.getsockname(), handler)
        self.socket = sock
        self._slots = threading.BoundedSemaphore(connections)
        self._deadline = deadline

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve a connection in a thread, when one is free."""
        self._slots.acquire()
        try:
            super().process_request(request, client_address)
        except BaseException:  # there is no thread for it
            self._slots.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve a connection, and end it when the deadline is reached."""
        end = threading.Timer(self._deadline, _shut, [request])
        end.daemon = True
        try:
            end.start()
            super().process_request_thread(request, client_address)
        finally:
            end.cancel()
            self._slots.release()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002
        """Say nothing of peers that leave; an own defect was told by the handler."""
        _log.debug("a request for metrics was not answered", exc_info=True)


def _shut(request: socket.socket) -> None:
    with suppress(OSError):  # it has ended meanwhile
        request.shutdown(socket.SHUT_RDWR)


class _Handler(MetricsHandler):
    """The library's own handler, for one path, and with few choices for who asks."""

    def do_GET(self) -> None:  # noqa: N802 - http.server's name
        """Answer with the metrics."""
        if self.path != _PATH:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        asked = self.headers.get("Accept", "")
        del self.headers["Accept"]
        # curl and browsers take anything; the library would believe any version.
        open_metrics = asked in {"", "*/*"} or _OPENMETRICS in asked
        self.headers["Accept"] = f"{_OPENMETRICS}; version=1.0.0" if open_metrics else "text/plain"
        try:
            super().do_GET()
        except OSError:
            raise  # the peer has gone
        except Exception:
            _log.exception("The metrics cannot be told")
            self.send_error(HTTPStatus.INTERNAL_SERVER_ERROR)

    def version_string(self) -> str:
        """Say nothing of Python's version."""
        return "vdsm"
