"""Names and figures for Prometheus."""

import os

import pytest
from prometheus_client.parser import text_string_to_metric_families

from l7lb.director.metrics import ServerFigures, Snapshot, WorkerFigures, render
from l7lb.model import Health
from l7lb.pool import cells
from l7lb.pool.cells import Layout, create_memory
from l7lb.pool.indices import Indices
from l7lb.pool.server import Admin
from l7lb.pool.shared import SharedCounters

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]
SERVER = {"pool": "web", "server": "a"}


@pytest.fixture(scope="module")
def samples() -> Samples:
    layout = Layout(workers=2, servers=4, services=2)
    memory = create_memory(layout)
    counters = [SharedCounters(memory, layout, slot) for slot in range(2)]
    os.close(memory)
    counters[0].set_live(2)
    for worker in counters:
        worker.opened(1)
        worker.add(2, 1)
        worker.record(1, 2, 200, 10, 100, 0.004, 0.02)
    counters[0].record(1, 2, 503, 1, 1, -1.0, 70.0)
    counters[0].count(2, cells.RETRIES)
    counters[0].count(2, cells.RESETS)
    counters[1].closed(1)
    snapshot = Snapshot(
        Indices({("web", "a"): 2}, {"www": 1}),
        {("web", "a"): ServerFigures(Health.UP, Admin.DRAIN, 7, ejected=False)},
        WorkerFigures(2, 1, 3, {"web": 4}, {"www": 5}),
        generation=6,
        loaded_s=1000.0,
    )
    text = render(counters[0], snapshot).decode()
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@pytest.mark.parametrize(
    ("name", "labels", "value"),
    [
        ("l7lb_service_requests_total", {"service": "www", "code_class": "2xx"}, 2),
        ("l7lb_service_requests_total", {"service": "www", "code_class": "5xx"}, 1),
        ("l7lb_service_connections_active", {"service": "www"}, 1),
        ("l7lb_service_connections_total", {"service": "www"}, 2),
        ("l7lb_service_bytes_out_total", {"service": "www"}, 201),
        ("l7lb_service_request_duration_seconds_count", {"service": "www"}, 3),
        ("l7lb_requests_total", {**SERVER, "code_class": "2xx"}, 2),
        ("l7lb_requests_total", {**SERVER, "code_class": "4xx"}, 0),
        ("l7lb_request_duration_seconds_bucket", {**SERVER, "le": "0.01"}, 0),
        ("l7lb_request_duration_seconds_bucket", {**SERVER, "le": "0.025"}, 2),
        ("l7lb_request_duration_seconds_bucket", {**SERVER, "le": "60.0"}, 2),
        ("l7lb_request_duration_seconds_bucket", {**SERVER, "le": "+Inf"}, 3),
        ("l7lb_request_duration_seconds_count", SERVER, 3),
        ("l7lb_request_duration_seconds_sum", SERVER, 70.04),
        ("l7lb_first_byte_seconds_count", SERVER, 2),
        ("l7lb_first_byte_seconds_bucket", {**SERVER, "le": "0.005"}, 2),
        ("l7lb_server_active", SERVER, 2),
        ("l7lb_server_errors_total", {**SERVER, "kind": "reset"}, 1),
        ("l7lb_server_errors_total", {**SERVER, "kind": "connect"}, 0),
        ("l7lb_retries_total", SERVER, 1),
        ("l7lb_server_up", SERVER, 1),
        ("l7lb_server_health", {**SERVER, "health": "up"}, 1),
        ("l7lb_server_health", {**SERVER, "health": "unknown"}, 0),
        ("l7lb_server_admin", {**SERVER, "state": "drain"}, 1),
        ("l7lb_server_weight", SERVER, 7),
        ("l7lb_server_ejected", SERVER, 0),
        ("l7lb_workers", {}, 2),
        ("l7lb_workers_answering", {}, 1),
        ("l7lb_worker_restarts_total", {}, 3),
        ("l7lb_pool_queue", {"pool": "web"}, 4),
        ("l7lb_access_log_dropped_total", {"service": "www"}, 5),
        ("l7lb_config_generation", {}, 6),
        ("l7lb_config_loaded_timestamp_seconds", {}, 1000),
    ],
)
def test_figures(samples: Samples, name: str, labels: dict[str, str], value: float) -> None:
    assert samples[name, frozenset(labels.items())] == pytest.approx(value)
