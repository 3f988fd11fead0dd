# SPDX-License-Identifier: GPL-2.0-or-later
"""What vdsm counts, when systemd passed it a port for metrics; docs/observability.md lists it.

A label is a verb of the API or of the contract, a code, an error of the contract, a lane, the state
of a task, or the UUID of a domain that is watched (a pool has at most a thousand): nothing else
that came over the wire, so their number is bounded and no argument can be in one.
"""

from __future__ import annotations

import time
from collections import Counter as Tally
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import TypeVar, cast

import msgspec
from prometheus_client import Counter, Histogram
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from vdsm.jsonrpc import schema
from vdsm.jsonrpc.pool import WorkerPool
from vdsm.jsonrpc.registry import Lane
from vdsm.storage.formats.task_state import TaskState
from vdsm.storage.services import StorageServices
from vdsm_contract.declare import Interface, Verb
from vdsm_contract.errors import ContractError
from vdsm_contract.metrics import OTHER, SECONDS, new_registry
from vdsm_contract.paths import SUPERVDSM_SOCKET
from vdsm_contract.proxy import Supervdsm

_I = TypeVar("_I", bound=Interface)


class Metrics:
    """Counts for this process. Any thread may call."""

    def __init__(self) -> None:
        self.registry = new_registry("vdsm")
        self._verbs = frozenset(schema.load().verbs)
        self._calls = Counter(
            "vdsm_calls",
            "Calls of the API that were answered, by verb and code; 0 is success.",
            ("verb", "code"),
            registry=self.registry,
        )
        self._seconds = Histogram(
            "vdsm_call_duration_seconds",
            "What calls took once a worker had begun them.",
            ("verb",),
            buckets=SECONDS,
            registry=self.registry,
        )
        self._wait_seconds = Histogram(
            "vdsm_call_wait_seconds",
            "How long calls waited for a worker.",
            buckets=SECONDS,
            registry=self.registry,
        )
        self._supervdsm_calls = Counter(
            "vdsm_supervdsm_calls",
            "Calls to supervdsm that have ended, by verb, and ok or the name of the error.",
            ("verb", "outcome"),
            registry=self.registry,
        )
        self._supervdsm_seconds = Histogram(
            "vdsm_supervdsm_call_duration_seconds",
            "What they took, with the wait for a supervdsm that restarts.",
            ("verb",),
            buckets=SECONDS,
            registry=self.registry,
        )

    def call(self, method: str, code: int, seconds: float, waited: float) -> None:
        """Count a call of the API, whatever its method is called."""
        verb = method if method in self._verbs else OTHER
        self._calls.labels(verb, str(code)).inc()
        self._seconds.labels(verb).observe(seconds)
        self._wait_seconds.observe(waited)

    def supervdsm_call(self, verb: Verb, error: BaseException | None, seconds: float) -> None:
        """Count a call to supervdsm."""
        name = f"{verb.interface.rpartition('.')[2]}.{verb.name}"
        outcome = "ok"
        if error is not None:
            outcome = type(error).__name__ if isinstance(error, ContractError) else OTHER
        self._supervdsm_calls.labels(name, outcome).inc()
        self._supervdsm_seconds.labels(name).observe(seconds)

    def watch(
        self,
        *,
        storage: StorageServices,
        pools: Mapping[Lane, WorkerPool],
        connections: Callable[[], int],
    ) -> None:
        """Also tell how these are, whenever somebody asks."""
        self.registry.register(_Now(storage, pools, connections))


class CountedSupervdsm(Supervdsm):
    """supervdsm, with its calls counted."""

    def __init__(self, metrics: Metrics, path: Path = SUPERVDSM_SOCKET) -> None:
        super().__init__(path)
        self.service = _counted(self.service, metrics)
        self.host = _counted(self.host, metrics)
        self.storage = _counted(self.storage, metrics)
        self.network = _counted(self.network, metrics)


def _counted(proxy: _I, metrics: Metrics) -> _I:
    """Return `proxy` with each of its calls counted."""

    def method(verb: Verb, call: Callable[..., object]) -> Callable[..., object]:
        def counted(_self: Interface, *args: object, **kwargs: object) -> object:
            began = time.monotonic()
            try:
                answer = call(*args, **kwargs)
            except BaseException as error:
                metrics.supervdsm_call(verb, error, time.monotonic() - began)
                raise
            metrics.supervdsm_call(verb, None, time.monotonic() - began)
            return answer

        return counted

    methods = {name: method(verb, getattr(proxy, name)) for name, verb in proxy.VERBS.items()}
    return cast("_I", type(f"Counted{type(proxy).__name__}", (type(proxy),), methods)())


class _Vitals(msgspec.Struct):
    """Of StorageDomainVitals, what is told here."""

    valid: bool
    delay: float
    last_check: float = msgspec.field(name="lastCheck")
    acquired: bool
    actual: bool


class _Now(Collector):
    """What is looked at when somebody asks. Nothing here touches storage."""

    def __init__(
        self,
        storage: StorageServices,
        pools: Mapping[Lane, WorkerPool],
        connections: Callable[[], int],
    ) -> None:
        self._storage = storage
        self._pools = pools
        self._connections = connections

    def collect(self) -> Iterator[Metric]:
        yield GaugeMetricFamily(
            "vdsm_connections", "Clients that are connected.", self._connections()
        )
        yield from self._lanes()
        yield _tasks(self._storage.tasks.states())
        vitals = msgspec.convert(self._storage.monitors.stats(), dict[str, _Vitals], strict=False)
        yield from _domains(vitals)

    def _lanes(self) -> Iterator[Metric]:
        depth = GaugeMetricFamily(
            "vdsm_queue_depth", "Calls that wait for a worker of their lane.", labels=["lane"]
        )
        busy = GaugeMetricFamily(
            "vdsm_workers_busy", "Calls that a worker of the lane runs.", labels=["lane"]
        )
        size = GaugeMetricFamily("vdsm_workers", "Workers of the lane.", labels=["lane"])
        for lane, pool in self._pools.items():
            label, load = [lane.name.lower()], pool.load
            depth.add_metric(label, load.waiting)
            busy.add_metric(label, load.running)
            size.add_metric(label, load.workers)
        return iter((depth, busy, size))


def _tasks(states: Collection[TaskState]) -> Metric:
    tasks = GaugeMetricFamily("vdsm_tasks", "Tasks that are known, by state.", labels=["state"])
    found = Tally(states)
    for state in TaskState:
        tasks.add_metric([state.value], found[state])
    return tasks


def _domains(vitals: Mapping[str, _Vitals]) -> Iterator[Metric]:
    """Of each domain that is watched: `delay` only while it answers."""
    valid = GaugeMetricFamily(
        "vdsm_storage_domain_valid", "1: the last look at it was good.", labels=["domain"]
    )
    delay = GaugeMetricFamily(
        "vdsm_storage_domain_delay_seconds",
        "What reading its metadata took at the last look; missing while it does not answer.",
        labels=["domain"],
    )
    age = GaugeMetricFamily(
        "vdsm_storage_domain_last_check_seconds",
        "How long ago the last look ended.",
        labels=["domain"],
    )
    acquired = GaugeMetricFamily(
        "vdsm_storage_domain_host_id_held", "1: this host's id is held in it.", labels=["domain"]
    )
    for uuid, each in vitals.items():
        if not each.actual:
            continue
        valid.add_metric([uuid], each.valid)
        if each.valid:
            delay.add_metric([uuid], each.delay)
        age.add_metric([uuid], each.last_check)
        acquired.add_metric([uuid], each.acquired)
    return iter((valid, delay, age, acquired))
