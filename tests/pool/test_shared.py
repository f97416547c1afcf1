"""Counters in shared memory: sums over workers, histograms, reuse of slots and numbers."""

import os
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l7lb.pool import cells
from l7lb.pool.cells import Layout, create_memory
from l7lb.pool.shared import SharedCounters

LAYOUT = Layout(workers=4, servers=16, services=3)


@pytest.fixture
def crew() -> list[SharedCounters]:
    """The counters of four workers, all in use."""
    memory = create_memory(LAYOUT)
    found = [SharedCounters(memory, LAYOUT, slot) for slot in range(4)]
    os.close(memory)
    found[0].set_live(4)
    return found


def test_active_is_the_sum_over_workers(crew: list[SharedCounters]) -> None:
    crew[0].add(5, 2)
    crew[3].add(5, 1)
    crew[3].add(4, 7)
    assert [each.active(5) for each in crew] == [3, 3, 3, 3]
    crew[0].add(5, -1)
    assert crew[2].active(5) == 2
    assert crew[2].active(6) == 0


def test_only_live_slots_count_as_active_but_totals_stay(crew: list[SharedCounters]) -> None:
    crew[3].add(1, 1)
    crew[3].count(1, cells.CONNECTS)
    crew[0].set_live(2)
    assert crew[0].active(1) == 0
    assert crew[0].server_cells(1)[cells.CONNECTS] == 1


def test_a_dead_workers_sessions_are_released(crew: list[SharedCounters]) -> None:
    crew[1].add(2, 3)
    crew[1].opened(1)
    crew[2].add(2, 1)
    crew[0].release_slot(1, [2], [1])
    assert crew[0].active(2) == 1
    assert crew[0].connections(1) == 0
    assert crew[0].service_cells(1)[cells.CONNECTS] == 1


def test_connections_of_a_service(crew: list[SharedCounters]) -> None:
    crew[0].opened(2)
    crew[1].opened(2)
    crew[1].closed(2)
    crew[1].refused(2)
    row = crew[3].service_cells(2)
    assert crew[3].connections(2) == row[cells.ACTIVE] == 1
    assert row[cells.CONNECTS] == 2
    assert row[cells.REFUSED] == 1


def test_a_request_is_counted_for_its_service_and_its_server(crew: list[SharedCounters]) -> None:
    crew[0].record(1, 7, 204, 100, 2000, 0.004, 0.02)
    crew[1].record(1, 7, 502, 1, 2, -1.0, 0.3)
    service, server = crew[2].service_cells(1), crew[2].server_cells(7)
    for row in (service, server):
        assert row[cells.RESPONSES : cells.RESPONSES + 6] == [0, 0, 1, 0, 0, 1]
        assert row[cells.BYTES_IN] == 101
        assert row[cells.BYTES_OUT] == 2002
        assert row[cells.TOTAL_SUM_US] == pytest.approx(320_000, abs=2)
        assert sum(row[cells.TOTAL_TIMES : cells.TOTAL_TIMES + cells.BUCKETS]) == 2
    first = server[cells.FIRST_BYTE_TIMES : cells.FIRST_BYTE_TIMES + cells.BUCKETS]
    assert sum(first) == 1
    assert first[cells.BOUNDS_S.index(0.005)] == 1


def test_without_a_server_only_the_service_counts(crew: list[SharedCounters]) -> None:
    before = [crew[0].server_cells(index) for index in range(LAYOUT.servers)]
    crew[0].record(0, -1, 308, 50, 60, -1.0, 0.0)
    assert [crew[0].server_cells(index) for index in range(LAYOUT.servers)] == before
    assert crew[0].service_cells(0)[cells.RESPONSES + 3] == 1


@pytest.mark.parametrize("status", [0, 99, 600, 999, -5])
def test_a_status_out_of_range_is_none(crew: list[SharedCounters], status: int) -> None:
    crew[0].record(0, 0, status, 0, 0, -1.0, 0.0)
    assert crew[0].server_cells(0)[cells.RESPONSES] == 1


@given(st.floats(0, 1000))
def test_every_time_falls_into_the_bucket_of_its_bound(seconds: float) -> None:
    memory = create_memory(LAYOUT)
    counters = SharedCounters(memory, LAYOUT)
    os.close(memory)
    counters.set_live(1)
    counters.record(0, 0, 200, 0, 0, seconds, seconds)
    row = counters.server_cells(0)
    times = row[cells.TOTAL_TIMES : cells.TOTAL_TIMES + cells.BUCKETS]
    bucket = times.index(1)
    whole_us = int(seconds * 1e6)
    if bucket < cells.BUCKETS - 1:
        assert whole_us <= round(cells.BOUNDS_S[bucket] * 1e6)
    if bucket > 0:
        assert whole_us > round(cells.BOUNDS_S[bucket - 1] * 1e6)


def test_neighbours_do_not_touch_each_other(crew: list[SharedCounters]) -> None:
    for index in range(LAYOUT.servers):
        crew[2].add(index, index + 1)
    for index in range(LAYOUT.services):
        for _ in range(index + 1):
            crew[2].opened(index)
    assert [crew[0].active(index) for index in range(LAYOUT.servers)] == list(range(1, 17))
    assert [crew[0].connections(index) for index in range(LAYOUT.services)] == [1, 2, 3]
    crew[0].clear_server(3)
    crew[0].clear_service(1)
    assert crew[0].server_cells(3) == [0] * cells.SERVER_CELLS
    assert crew[0].service_cells(1) == [0] * cells.SERVICE_CELLS
    assert crew[0].active(2) == 3
    assert crew[0].active(4) == 5


def test_slots_and_workers_have_limits() -> None:
    memory = create_memory(LAYOUT)
    with pytest.raises(ValueError, match="slot 4 of 4"):
        SharedCounters(memory, LAYOUT, 4)
    counters = SharedCounters(memory, LAYOUT)
    for wrong in (0, 5):
        with pytest.raises(ValueError, match="in 4 slots"):
            counters.set_live(wrong)
    os.close(memory)


def test_writers_in_parallel_lose_nothing(crew: list[SharedCounters]) -> None:
    def work(counters: SharedCounters) -> None:
        for _ in range(2000):
            counters.add(0, 1)
            counters.record(0, 0, 200, 1, 1, 0.001, 0.001)

    threads = [threading.Thread(target=work, args=(each,)) for each in crew]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert crew[0].active(0) == 8000
    assert crew[0].server_cells(0)[cells.RESPONSES + 2] == 8000
