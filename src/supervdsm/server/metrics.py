# SPDX-License-Identifier: GPL-2.0-or-later
"""What supervdsm counts, when systemd passed it a port for metrics; docs/observability.md lists it.

A label is a verb of the table, an error or a lock of the contract, or a unit of ours: nothing that
came over the wire, so their number is bounded and no argument can be in one.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from prometheus_client import Counter, Histogram
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from supervdsm.common import command
from supervdsm.server.dispatch import Dispatcher
from vdsm_contract.errors import TimedOut, VerbError
from vdsm_contract.metrics import OTHER, SECONDS, new_registry

_PREFIX: Final = "org.ovirt.supervdsm."
_UNITS: Final = ("vdsm.service", "supervdsm.service")
_SHOW: Final = (
    "nsenter", "--target", "1", "--mount", "--",
    "systemctl", "show", "--property=Id,NRestarts", *_UNITS,
)  # fmt: skip
"""The host's own systemctl, as the room of networks asks it, too."""
_SHOW_SECONDS: Final = 2.0
_RESTARTS_SECONDS: Final = 5.0
"""systemd is asked no more often, however often the metrics are read."""


class Metrics:
    """Counts for `dispatcher`; `connections` tells how many are open. Any thread may call."""

    def __init__(self, dispatcher: Dispatcher, connections: Callable[[], int]) -> None:
        self.registry = new_registry("supervdsm")
        self._calls = Counter(
            "supervdsm_calls",
            "Calls that have ended, by verb, and ok or the name of the error.",
            ("verb", "outcome"),
            registry=self.registry,
        )
        self._seconds = Histogram(
            "supervdsm_call_duration_seconds",
            "From the request's last byte to the answer's first, with the wait for the lock.",
            ("verb",),
            buckets=SECONDS,
            registry=self.registry,
        )
        self._refused = Counter(
            "supervdsm_connections_refused",
            "Connections that were not let in, or ended for what came by them, by the error.",
            ("error",),
            registry=self.registry,
        )
        self._lock_seconds = Histogram(
            "supervdsm_lock_wait_seconds",
            "How long calls waited for their lock, also in vain.",
            ("lock",),
            buckets=SECONDS,
            registry=self.registry,
        )
        self.registry.register(_Now(dispatcher, connections))

    def call(self, method: str, error: BaseException | None, seconds: float) -> None:
        """Count a call of a verb of the table."""
        verb = method.removeprefix(_PREFIX)
        self._calls.labels(verb, type(error).__name__ if error else "ok").inc()
        self._seconds.labels(verb).observe(seconds)

    def unknown(self) -> None:
        """Count a call of something that is in no table."""
        self._calls.labels(OTHER, OTHER).inc()

    def refused(self, error: VerbError) -> None:
        """Count a connection that was refused, or ended because of what came by it."""
        self._refused.labels(type(error).__name__).inc()

    def lock_wait(self, lock: str, seconds: float) -> None:
        """Count a call's wait for `lock`, by its name without the path."""
        self._lock_seconds.labels(lock).observe(seconds)


class _Now(Collector):
    """What is looked at when somebody asks."""

    def __init__(self, dispatcher: Dispatcher, connections: Callable[[], int]) -> None:
        self._calls = dispatcher.calls
        self._connections = connections
        self._restarts: Mapping[str, int] = {}
        self._asked_at = float("-inf")

    def collect(self) -> Iterator[Metric]:
        in_flight = self._calls.snapshot()
        yield GaugeMetricFamily(
            "supervdsm_calls_in_flight", "Calls that run, or wait for a lock.", len(in_flight)
        )
        yield GaugeMetricFamily(
            "supervdsm_calls_overdue",
            "Those that have outlived their limit; their callers were told TimedOut.",
            sum(one.overdue for one in in_flight),
        )
        yield GaugeMetricFamily(
            "supervdsm_connections", "Connections that are open.", self._connections()
        )
        restarts = CounterMetricFamily(
            "supervdsm_service_restarts",
            "Restarts by systemd since somebody last started the service (NRestarts).",
            labels=["service"],
        )
        for unit, count in self._ask().items():
            restarts.add_metric([unit], count)
        yield restarts

    def _ask(self) -> Mapping[str, int]:
        now = time.monotonic()
        if now - self._asked_at > _RESTARTS_SECONDS:
            self._asked_at = now
            self._restarts = _asked()
        return self._restarts


def _asked() -> Mapping[str, int]:
    """Return how often systemd restarted each of the units; nothing when it cannot be told."""
    try:
        done = command.run(_SHOW, limit=_SHOW_SECONDS)
    except (OSError, TimedOut):
        return {}
    return restarts_of(done.stdout)


def restarts_of(text: str) -> Mapping[str, int]:
    """Read what `systemctl show --property=Id,NRestarts` prints: one block for each unit."""
    found = {}
    for block in text.split("\n\n"):
        values = dict(line.partition("=")[::2] for line in block.splitlines())
        unit, count = values.get("Id", ""), values.get("NRestarts", "")
        if unit in _UNITS and count.isdecimal():
            found[unit.removesuffix(".service")] = int(count)
    return found
