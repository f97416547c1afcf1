"""A watch that never has a gap: over broken connections, other members and compaction.

It owns the position. A member that is silent is asked, at the same member, with a read that needs
the majority: one that is cut off or stopped fails it, and the watch goes on elsewhere.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from l7lb_storage.errors import (
    AuthenticationFailed,
    LimitExceeded,
    ProtocolViolation,
    StorageError,
)
from l7lb_storage.etcd import wire
from l7lb_storage.etcd.gateway import Gateway, Lines
from l7lb_storage.etcd.wire import Seen

PAUSE_MIN_S = 0.02
PAUSE_MAX_S = 1.0


class Sink(Protocol):
    """Who follows."""

    async def begin(self) -> int:
        """Read anew everything that is followed, and return the revision of that reading."""

    async def take(self, seen: Seen) -> None:
        """Changes, in order, each once."""


class Moved(Exception):  # never leaves the module
    """This stream is over; go on elsewhere, or from the beginning."""

    def __init__(self, *, anew: bool = False) -> None:
        super().__init__()
        self.anew = anew


class Follower:
    """`run` in a task; `after` None: begin by reading."""

    def __init__(self, gateway: Gateway, prefix: bytes, sink: Sink, after: int | None) -> None:
        self._gateway = gateway
        self._prefix = prefix
        self._sink = sink
        self._position = after
        self._pause_s = PAUSE_MIN_S

    async def run(self) -> None:
        """Until cancelled. Raises AuthenticationFailed, LimitExceeded."""
        while True:
            endpoint = self._gateway.endpoint
            try:
                if self._position is None:
                    self._position = await self._sink.begin()
                await self._stream(endpoint, self._position)
            except Moved as moved:
                if moved.anew:
                    self._position = None
            except (AuthenticationFailed, LimitExceeded):
                raise
            except StorageError:
                self._gateway.pass_over(endpoint)
            await asyncio.sleep(self._pause_s)
            self._pause_s = min(2 * self._pause_s, PAUSE_MAX_S)

    async def _stream(self, endpoint: str, position: int) -> None:
        body = wire.watch(self._prefix, position + 1)
        async with self._gateway.stream("/v3/watch", body, endpoint) as lines:
            while True:
                line = await self._next(lines, endpoint)
                seen = wire.read_watch(line)
                if seen.created and seen.revision < position:
                    await self._check_history(endpoint, position)
                if seen.ended:
                    raise Moved(anew=seen.compacted)
                self._pause_s = PAUSE_MIN_S
                if seen.events:
                    await self._sink.take(seen)
                if not seen.created:
                    self._position = position = max(position, seen.revision)

    async def _next(self, lines: Lines, endpoint: str) -> bytes:
        while True:
            try:
                async with asyncio.timeout(self._gateway.spec.pulse_s):
                    line = await lines.next()
            except TimeoutError:
                await self._gateway.pulse(endpoint, self._prefix)
                continue
            if line is None:
                raise ProtocolViolation("the watch broke off")
            return line

    async def _check_history(self, endpoint: str, position: int) -> None:
        """The member is behind us: late, or the data was replaced by other data."""
        if await self._gateway.pulse(endpoint, self._prefix) < position:
            raise Moved(anew=True)
