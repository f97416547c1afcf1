"""What connections ask of the engine that they run in: the seam that keeps `net` free of cycles."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from l7lb.net.poller import Poller
from l7lb.net.relay import PipePool
from l7lb.net.service import Service
from l7lb.net.stream import ByteStream
from l7lb.pool.pool import Pool
from l7lb.pool.server import Server
from l7lb.pool.shared import SharedCounters

if TYPE_CHECKING:
    from collections.abc import Collection


class Cancellable(Protocol):
    def cancel(self) -> None: ...


class Dialer(Protocol):
    """Whoever asked for a server connection."""

    def dialed(self, stream: ByteStream | None, error: OSError | None) -> None: ...
    def stream_data(self, stream: ByteStream, data: bytes) -> None: ...
    def stream_eof(self, stream: ByteStream) -> None: ...
    def stream_lost(self, stream: ByteStream, error: OSError) -> None: ...
    def stream_drained(self, stream: ByteStream) -> None: ...

    source: str
    source_port: int


class Booked(Protocol):
    """What the engine's books count."""

    service: Service


class Connection(Booked, Protocol):
    """A client connection in the engine's books."""

    source: str

    def tick(self, now: float) -> None: ...
    def drain(self) -> None: ...
    def abort(self) -> None: ...


class Host(Protocol):
    """The engine as its connections see it."""

    poller: Poller
    pipes: PipePool
    counters: SharedCounters
    services: dict[str, Service]
    draining: bool
    accept_batch: int
    """Connections that a listener takes in one go."""
    now: Callable[[], float]
    random: Callable[[], float]

    @property
    def drivers(self) -> Collection[Connection]: ...

    def dial(self, pool: Pool, server: Server, dialer: Dialer, port: int = 0) -> Cancellable: ...
    def note_failure(self, server: Server, error: OSError | None) -> None: ...
    def mirror(self, pool: Pool, head: bytes, body: bytes) -> None: ...
    def part(self, stream: ByteStream, ended: Callable[[], None]) -> None: ...
    def opened(self, connection: Connection) -> None: ...
    def replaced(self, connection: Connection, successor: Connection) -> None: ...
    def closed(self, connection: Booked) -> None: ...
