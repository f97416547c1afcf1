"""Figures for Prometheus, read from the shared counters when somebody asks.

Owns the names of the metrics. Must not know how they are asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector, CollectorRegistry

from l7lb.model import Health
from l7lb.pool import cells
from l7lb.pool.indices import Indices
from l7lb.pool.server import Admin
from l7lb.pool.shared import SharedCounters

CLASSES = ("none", "1xx", "2xx", "3xx", "4xx", "5xx")
_SERVER = ["pool", "server"]
_ERRORS = {
    "connect": cells.CONNECT_FAILURES,
    "reset": cells.RESETS,
    "timeout": cells.TIMEOUTS,
}


@dataclass(frozen=True, slots=True)
class ServerFigures:
    """What the supervisor knows of a server beside the counters."""

    health: Health
    admin: Admin
    weight: int
    ejected: bool


@dataclass(frozen=True, slots=True)
class WorkerFigures:
    """What the workers said of themselves, summed over those that answered."""

    started: int
    answered: int
    restarts: int
    queued: Mapping[str, int]
    """By pool."""
    log_lines_dropped: Mapping[str, int]
    """By service."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All that one scrape shows."""

    indices: Indices
    servers: Mapping[tuple[str, str], ServerFigures]
    workers: WorkerFigures
    generation: int
    loaded_s: float
    """Wall clock: when the running file was loaded."""


class DirectorCollector(Collector):
    """One scrape's view."""

    def __init__(self, counters: SharedCounters, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        indices = snapshot.indices
        self._servers = {
            key: counters.server_cells(index) for key, index in indices.servers.items()
        }
        self._services = {
            name: counters.service_cells(index) for name, index in indices.services.items()
        }

    def collect(self) -> Iterator[Metric]:
        yield from self._of_services()
        yield from self._of_servers()
        yield from self._of_states()
        yield from self._of_director()

    def _of_services(self) -> Iterator[Metric]:
        requests = CounterMetricFamily(
            "l7lb_service_requests", "Requests by service.", labels=["service", "code_class"]
        )
        plain = {
            cells.CONNECTS: _counter("l7lb_service_connections", "Clients accepted.", ["service"]),
            cells.REFUSED: _counter(
                "l7lb_service_refused", "Clients turned away by a limit.", ["service"]
            ),
            cells.BYTES_IN: _counter("l7lb_service_bytes_in", "From clients.", ["service"]),
            cells.BYTES_OUT: _counter("l7lb_service_bytes_out", "To clients.", ["service"]),
        }
        active = GaugeMetricFamily(
            "l7lb_service_connections_active", "Clients connected now.", labels=["service"]
        )
        times = HistogramMetricFamily(
            "l7lb_service_request_duration_seconds", "Whole requests.", labels=["service"]
        )
        for name, row in self._services.items():
            _add_classes(requests, [name], row)
            active.add_metric([name], row[cells.ACTIVE])
            for cell, family in plain.items():
                family.add_metric([name], row[cell])
            _add_histogram(times, [name], row, cells.TOTAL_TIMES, cells.TOTAL_SUM_US)
        yield from (requests, active, *plain.values(), times)

    def _of_servers(self) -> Iterator[Metric]:
        requests = _counter("l7lb_requests", "Requests by server.", [*_SERVER, "code_class"])
        errors = _counter("l7lb_server_errors", "Failures by kind.", [*_SERVER, "kind"])
        plain = {
            cells.CONNECTS: _counter("l7lb_server_connects", "Connections begun.", _SERVER),
            cells.RETRIES: _counter("l7lb_retries", "Requests sent elsewhere after it.", _SERVER),
            cells.BYTES_IN: _counter("l7lb_server_bytes_in", "Bytes of requests.", _SERVER),
            cells.BYTES_OUT: _counter("l7lb_server_bytes_out", "Bytes of responses.", _SERVER),
        }
        active = GaugeMetricFamily("l7lb_server_active", "Sessions now.", labels=_SERVER)
        total = HistogramMetricFamily(
            "l7lb_request_duration_seconds", "Whole requests.", labels=_SERVER
        )
        first = HistogramMetricFamily(
            "l7lb_first_byte_seconds", "To the first byte of the response.", labels=_SERVER
        )
        for key, row in self._servers.items():
            labels = list(key)
            _add_classes(requests, labels, row)
            active.add_metric(labels, row[cells.ACTIVE])
            for kind, cell in _ERRORS.items():
                errors.add_metric([*labels, kind], row[cell])
            for cell, family in plain.items():
                family.add_metric(labels, row[cell])
            _add_histogram(total, labels, row, cells.TOTAL_TIMES, cells.TOTAL_SUM_US)
            _add_histogram(first, labels, row, cells.FIRST_BYTE_TIMES, cells.FIRST_BYTE_SUM_US)
        yield from (requests, active, errors, *plain.values(), total, first)

    def _of_states(self) -> Iterator[Metric]:
        up = GaugeMetricFamily("l7lb_server_up", "1: its checks pass.", labels=_SERVER)
        health = GaugeMetricFamily(
            "l7lb_server_health", "1 for the verdict that holds.", labels=[*_SERVER, "health"]
        )
        admin = GaugeMetricFamily(
            "l7lb_server_admin", "1 for the state that holds.", labels=[*_SERVER, "state"]
        )
        weight = GaugeMetricFamily("l7lb_server_weight", "As set now.", labels=_SERVER)
        ejected = GaugeMetricFamily("l7lb_server_ejected", "1: an outlier.", labels=_SERVER)
        for key, server in self._snapshot.servers.items():
            labels = list(key)
            up.add_metric(labels, server.health is Health.UP)
            for verdict in Health:
                health.add_metric([*labels, verdict], server.health is verdict)
            for state in Admin:
                admin.add_metric([*labels, state], server.admin is state)
            weight.add_metric(labels, server.weight)
            ejected.add_metric(labels, server.ejected)
        yield from (up, health, admin, weight, ejected)

    def _of_director(self) -> Iterator[Metric]:
        workers = self._snapshot.workers
        yield GaugeMetricFamily("l7lb_workers", "Worker processes.", workers.started)
        yield GaugeMetricFamily(
            "l7lb_workers_answering", "Workers that answered in time.", workers.answered
        )
        yield CounterMetricFamily(
            "l7lb_worker_restarts", "Workers that were replaced.", workers.restarts
        )
        queue = GaugeMetricFamily("l7lb_pool_queue", "Requests that wait.", labels=["pool"])
        for pool, length in workers.queued.items():
            queue.add_metric([pool], length)
        dropped = _counter("l7lb_access_log_dropped", "Lines not written.", ["service"])
        for service, lines in workers.log_lines_dropped.items():
            dropped.add_metric([service], lines)
        yield from (queue, dropped)
        yield GaugeMetricFamily(
            "l7lb_config_generation", "Of the running file.", self._snapshot.generation
        )
        yield GaugeMetricFamily(
            "l7lb_config_loaded_timestamp_seconds",
            "When the running file was loaded.",
            self._snapshot.loaded_s,
        )


def render(counters: SharedCounters, snapshot: Snapshot) -> bytes:
    """The text that Prometheus reads. Takes long with thousands of servers: use a thread."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(DirectorCollector(counters, snapshot))
    return generate_latest(registry)


def _counter(name: str, text: str, labels: list[str]) -> CounterMetricFamily:
    return CounterMetricFamily(name, text, labels=labels)


def _add_classes(family: CounterMetricFamily, labels: list[str], row: list[int]) -> None:
    for position, code_class in enumerate(CLASSES):
        family.add_metric([*labels, code_class], row[cells.RESPONSES + position])


def _add_histogram(
    family: HistogramMetricFamily, labels: list[str], row: list[int], at: int, sum_at: int
) -> None:
    buckets = []
    total = 0
    for position in range(cells.BUCKETS):
        total += row[at + position]
        last = position == cells.BUCKETS - 1
        buckets.append(("+Inf" if last else str(cells.BOUNDS_S[position]), float(total)))
    family.add_metric(labels, buckets, row[sum_at] / 1e6)
