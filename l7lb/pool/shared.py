"""Counters that all workers share: one slot of cells for each worker, summed on reading.

Owns the memory. Must not know who a number belongs to, nor how figures are shown.
Each slot has one writer, so no lock is needed; a reader may see one request half counted.
This file is compiled (types in shared.pxd) and must also be right uncompiled.
"""

from __future__ import annotations

import mmap
from array import array
from collections.abc import Iterable

from l7lb.pool.cells import (
    ACTIVE,
    BOUNDS_S,
    BUCKETS,
    BYTES_IN,
    BYTES_OUT,
    CONNECTS,
    EVER,
    FAMILIES,
    FIRST_BYTE_SUM_US,
    FIRST_BYTE_TIMES,
    HEAD_CELLS,
    LIVE,
    REFUSED,
    RESPONSES,
    SERVER_CELLS,
    SERVICE_CELLS,
    TOTAL_SUM_US,
    TOTAL_TIMES,
    Layout,
)
from l7lb.ports import Counters


class SharedCounters(Counters):
    """One worker's hold on the shared cells: writes its own slot, reads the sum of all.

    `slot` is the worker's number; a reader that never writes takes any.
    The numbers of servers and services come from `pool.indices` and are not checked again here.
    `descriptor` may be closed afterwards.
    """

    def __init__(self, descriptor: int, layout: Layout, slot: int = 0) -> None:
        if not 0 <= slot < layout.workers:
            raise ValueError(f"slot {slot} of {layout.workers}")
        super().__init__()
        self.layout = layout
        self._cells = memoryview(mmap.mmap(descriptor, layout.size_bytes)).cast("q")
        self._bounds_us = memoryview(array("q", [round(bound * 1e6) for bound in BOUNDS_S]))
        self._slot_cells = layout.slot_cells
        self._services = layout.servers * SERVER_CELLS
        self._own = HEAD_CELLS + slot * layout.slot_cells
        self._own_services = self._own + self._services

    # ---------------------------------------------------------------- counting, hot

    def active(self, index: int) -> int:
        """Sessions now open on this server, over all workers."""
        return self._gauge(HEAD_CELLS + index * SERVER_CELLS)

    def add(self, index: int, delta: int) -> None:
        """Count sessions of this worker on a server."""
        self._cells[self._own + index * SERVER_CELLS] += delta

    def count(self, index: int, cell: int) -> None:
        """Add one to CONNECTS, CONNECT_FAILURES, RESETS, TIMEOUTS or RETRIES of a server."""
        self._cells[self._own + index * SERVER_CELLS + cell] += 1

    def opened(self, service: int) -> None:
        """A client connected to a service."""
        at = self._own_services + service * SERVICE_CELLS
        self._cells[at] += 1
        self._cells[at + CONNECTS] += 1

    def closed(self, service: int) -> None:
        """A client of a service has gone."""
        self._cells[self._own_services + service * SERVICE_CELLS] -= 1

    def refused(self, service: int) -> None:
        """A client was turned away at the door by a limit."""
        self._cells[self._own_services + service * SERVICE_CELLS + REFUSED] += 1

    def connections(self, service: int) -> int:
        """Clients now connected to a service, over all workers."""
        return self._gauge(HEAD_CELLS + self._services + service * SERVICE_CELLS)

    def record(
        self,
        service: int,
        server: int,
        status: int,
        bytes_in: int,
        bytes_out: int,
        first_byte_s: float,
        total_s: float,
    ) -> None:
        """Count one finished request. Hot.

        `server` is -1 when no server was involved, `status` 0 when no response was sent,
        `first_byte_s` negative when the server sent none.
        """
        at = self._own_services + service * SERVICE_CELLS
        self._request(at, status, bytes_in, bytes_out, total_s)
        if server < 0:
            return
        at = self._own + server * SERVER_CELLS
        self._request(at, status, bytes_in, bytes_out, total_s)
        if first_byte_s >= 0:
            first_us = int(first_byte_s * 1e6)
            self._cells[at + FIRST_BYTE_SUM_US] += first_us
            self._cells[at + FIRST_BYTE_TIMES + self._bucket(first_us)] += 1

    def _request(self, at: int, status: int, bytes_in: int, bytes_out: int, total_s: float) -> None:
        family = status // 100
        if family < 0 or family >= FAMILIES:
            family = 0
        total_us = int(total_s * 1e6)
        self._cells[at + RESPONSES + family] += 1
        self._cells[at + BYTES_IN] += bytes_in
        self._cells[at + BYTES_OUT] += bytes_out
        self._cells[at + TOTAL_SUM_US] += total_us
        self._cells[at + TOTAL_TIMES + self._bucket(total_us)] += 1

    def _bucket(self, microseconds: int) -> int:
        bucket = 0
        while bucket < BUCKETS - 1 and microseconds > self._bounds_us[bucket]:
            bucket += 1
        return bucket

    def _gauge(self, at: int) -> int:
        total = 0
        for _ in range(self._cells[LIVE]):
            total += self._cells[at]
            at += self._slot_cells
        return total

    # ---------------------------------------------------------------- reading and keeping

    def set_live(self, workers: int) -> None:
        """How many slots are in use, from the first. For the supervisor alone."""
        if not 0 < workers <= self.layout.workers:
            raise ValueError(f"{workers} workers in {self.layout.workers} slots")
        self._cells[LIVE] = workers
        self._cells[EVER] = max(self._cells[EVER], workers)

    def server_cells(self, index: int) -> list[int]:
        """All cells of a server, summed over every slot that was ever used."""
        return self._sum(index * SERVER_CELLS, SERVER_CELLS)

    def service_cells(self, index: int) -> list[int]:
        """All cells of a service, summed over every slot that was ever used."""
        return self._sum(self._services + index * SERVICE_CELLS, SERVICE_CELLS)

    def release_slot(self, slot: int, servers: Iterable[int], services: Iterable[int]) -> None:
        """A worker has ended: its sessions are gone, its totals stay."""
        base = HEAD_CELLS + slot * self._slot_cells
        for index in servers:
            self._cells[base + index * SERVER_CELLS + ACTIVE] = 0
        for index in services:
            self._cells[base + self._services + index * SERVICE_CELLS + ACTIVE] = 0

    def clear_server(self, index: int) -> None:
        """Start this number anew for another server."""
        self._clear(index * SERVER_CELLS, SERVER_CELLS)

    def clear_service(self, index: int) -> None:
        """Start this number anew for another service."""
        self._clear(self._services + index * SERVICE_CELLS, SERVICE_CELLS)

    def _sum(self, offset: int, length: int) -> list[int]:
        sums = [0] * length
        at = HEAD_CELLS + offset
        for _ in range(self._cells[EVER]):
            for cell in range(length):
                sums[cell] += self._cells[at + cell]
            at += self._slot_cells
        return sums

    def _clear(self, offset: int, length: int) -> None:
        at = HEAD_CELLS + offset
        for _ in range(self._cells[EVER]):
            for cell in range(length):
                self._cells[at + cell] = 0
            at += self._slot_cells
