"""Layout of the shared counters."""

import os

import pytest

from l7lb.pool import cells
from l7lb.pool.cells import Layout, create_memory


def test_memory_has_the_layouts_size_and_costs_nothing_yet() -> None:
    layout = Layout()
    memory = create_memory(layout)
    found = os.fstat(memory)
    os.close(memory)
    assert found.st_size == layout.size_bytes
    assert found.st_blocks == 0


def test_absurd_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="the limit is"):
        create_memory(Layout(workers=10_000, servers=1_000_000))


def test_no_two_figures_share_a_cell() -> None:
    single = [
        cells.ACTIVE,
        cells.CONNECTS,
        cells.CONNECT_FAILURES,
        cells.RESETS,
        cells.TIMEOUTS,
        cells.RETRIES,
        cells.BYTES_IN,
        cells.BYTES_OUT,
        cells.TOTAL_SUM_US,
        cells.FIRST_BYTE_SUM_US,
    ]
    ranges = [
        *range(cells.RESPONSES, cells.RESPONSES + cells.FAMILIES),
        *range(cells.TOTAL_TIMES, cells.TOTAL_TIMES + cells.BUCKETS),
        *range(cells.FIRST_BYTE_TIMES, cells.FIRST_BYTE_TIMES + cells.BUCKETS),
    ]
    assert sorted(single + ranges) == list(range(cells.SERVER_CELLS))
    assert max(cells.REFUSED, cells.TOTAL_TIMES + cells.BUCKETS - 1) < cells.SERVICE_CELLS


def test_bounds_grow() -> None:
    assert list(cells.BOUNDS_S) == sorted(set(cells.BOUNDS_S))
