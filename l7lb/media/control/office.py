"""What all RTSP sessions of one worker share: the parts that were given, what outlives connections.

A reload changes nothing here. Must not know sockets or messages.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import TYPE_CHECKING

from l7lb.errors import L7lbError
from l7lb.media.control.held import Book, TcpOnly
from l7lb.media.ports import Choice, Holdings, Kernel, Modes, Relays

if TYPE_CHECKING:
    from l7lb.media.control.base import RtspBase
    from l7lb.model import PoolSpec, ServerSpec

SWEEP_S = 1.0
FAREWELL_S = 2.0
"""For the last words to the parts."""
log = logging.getLogger("l7lb.media")


@dataclass(slots=True)
class Parts:
    """What the worker gives; None: not there."""

    relays: Relays | None = None
    modes: Modes | None = None
    kernel: Kernel | None = None
    holdings: Holdings | None = None


class Office:
    """Lives in one event loop; `close` it there."""

    def __init__(self, secret: bytes, now: Callable[[], float], parts: Parts) -> None:
        self.secret = secret
        self.now = now
        self.parts = parts
        self.book = Book(now)
        self.tcp_only = TcpOnly(now)
        self.sessions: set[RtspBase] = set()
        """Every control connection that has a server."""
        self._players: dict[str, tuple[str, float]] = {}
        """By the relay's name of a session: the client, and how long UDP is refused to it then."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._telling: set[asyncio.Task[None]] = set()
        """Of these, what others shall still be told when this ends."""
        self._sweeping = asyncio.create_task(self._sweep(), name="rtsp sweep")

    def token(self) -> bytes:
        """Six bytes that nobody guesses."""
        return os.urandom(6)

    # ------------------------------------------------------------------ how media goes

    def choose(self, service: str, pool: PoolSpec, server: ServerSpec, client: str) -> Choice:
        if self.tcp_only.holds(client):
            return Choice(None, "no UDP has reached this client")
        if self.parts.modes is None:
            return Choice(None, "nothing opens ways for UDP here")
        return self.parts.modes.choose(service, pool, server, client)

    def plays(self, relay: str, client: str, refuse_s: float) -> None:
        """Should the relay say that this session's client is silent, UDP is refused to it."""
        self._players[relay] = (client, refuse_s)
        if len(self._players) > 10_000:
            self._players.pop(next(iter(self._players)))

    def silent(self, relay: str) -> None:
        """News of the relay: nothing came from the player."""
        player = self._players.pop(relay, None)
        if player is not None:
            log.info("no UDP from a player", extra={"source": player[0]})
            self.tcp_only.add(*player)

    def ended(self, relay: str) -> None:
        """News of the relay: the session is over."""
        self._players.pop(relay, None)

    # ------------------------------------------------------------------ work

    def spawn(self, work: Coroutine[object, object, None]) -> asyncio.Task[None]:
        """In the background; what it raises is logged."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def tell(self, work: Coroutine[object, object, None]) -> None:
        """Something that a part shall know; when it is away, its own timeouts serve."""
        self._telling.add(self.spawn(_quietly(work)))

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._telling.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("an RTSP session failed", exc_info=error)

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_S)
            self.book.sweep()

    def state(self) -> dict[str, object]:
        """JSON, for status."""
        return {"connections": len(self.sessions), "sessions_without": len(self.book)}

    async def close(self) -> None:
        for task in (self._sweeping, *(self._tasks - self._telling)):
            task.cancel()
        if self._telling:
            await asyncio.wait(self._telling, timeout=FAREWELL_S)
        for task in self._telling:
            task.cancel()
        await asyncio.gather(self._sweeping, *self._tasks, return_exceptions=True)
        self.book.close()


async def _quietly(work: Coroutine[object, object, None]) -> None:
    try:
        await work
    except L7lbError as error:
        log.info("a part of media was not told", extra={"reason": str(error)})
