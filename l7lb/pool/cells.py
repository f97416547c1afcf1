"""Layout of the shared counters: which 64-bit cell means what.

Owns the numbers of the cells and the room for them. Must not know who writes or reads.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

BOUNDS_S = (
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0,
)  # fmt: skip
"""Upper bounds of the histogram buckets; one more bucket holds what is slower."""

BUCKETS = len(BOUNDS_S) + 1

# Cells of a server. Those that a service has too have the same number there.
ACTIVE = 0
CONNECTS = 1
RESPONSES = 2
"""Six cells: requests without a response, then 1xx to 5xx."""
FAMILIES = 6
CONNECT_FAILURES = 8
RESETS = 9
TIMEOUTS = 10
RETRIES = 11
BYTES_IN = 12
BYTES_OUT = 13
TOTAL_SUM_US = 14
FIRST_BYTE_SUM_US = 15
TOTAL_TIMES = 16
FIRST_BYTE_TIMES = TOTAL_TIMES + BUCKETS
SERVER_CELLS = FIRST_BYTE_TIMES + BUCKETS

# Cells of a service where they differ.
REFUSED = 8
SERVICE_CELLS = TOTAL_TIMES + BUCKETS

# Cells of the head of the memory.
LIVE = 0
"""Slots in use now: what `active` sums over."""
EVER = 1
"""Slots that were ever in use: what totals sum over."""
HEAD_CELLS = 16

_WORD = 8
_LIMIT_BYTES = 1 << 32


@dataclass(frozen=True, slots=True)
class Layout:
    """How much room there is. The memory is sparse: what nobody counts in costs nothing."""

    workers: int = 64
    servers: int = 4096
    services: int = 256

    @property
    def slot_cells(self) -> int:
        return self.servers * SERVER_CELLS + self.services * SERVICE_CELLS

    @property
    def size_bytes(self) -> int:
        return (HEAD_CELLS + self.workers * self.slot_cells) * _WORD


def create_memory(layout: Layout) -> int:
    """Descriptor of a memory file for `layout`, all zero; the caller closes it."""
    if layout.size_bytes > _LIMIT_BYTES:
        raise ValueError(f"counters of {layout.size_bytes} bytes; the limit is {_LIMIT_BYTES}")
    descriptor = os.memfd_create("l7lb-counters", os.MFD_CLOEXEC)
    os.ftruncate(descriptor, layout.size_bytes)
    return descriptor
