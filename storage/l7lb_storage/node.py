"""A node process: a session on an engine, and after a loss the next one.

It owns the sequence of sessions. What was held under a lost session is lost for good; who had it
must take it again under the new one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Self

from l7lb_storage.clock import Clock
from l7lb_storage.engine import Engine
from l7lb_storage.errors import DeadlinePassed, LeaseLost, StorageError
from l7lb_storage.session import Session, SessionSpec

PAUSE_MIN_S = 0.1
PAUSE_MAX_S = 5.0


class Node:
    """An asynchronous context manager; the engine is opened and closed by whoever made it."""

    def __init__(self, engine: Engine, spec: SessionSpec, clock: Clock | None = None) -> None:
        self._engine = engine
        self._spec = spec
        self._clock = clock
        self._session: Session | None = None
        self._ready = asyncio.Event()
        self._on_session: list[Callable[[Session], None]] = []
        self._task: asyncio.Task[None] | None = None

    @property
    def session(self) -> Session:
        """The living one. Raises LeaseLost while there is none."""
        if self._session is None or self._session.lost.is_set():
            raise LeaseLost("no session now")
        return self._session

    @property
    def valid(self) -> bool:
        return self._session is not None and self._session.valid

    def on_session(self, callback: Callable[[Session], None]) -> None:
        """Called in the event loop with each new session, the present one included."""
        self._on_session.append(callback)
        if self.valid:
            callback(self.session)

    async def ready(self, timeout_s: float = 10.0) -> Session:
        """The living session, or the next one. Raises DeadlinePassed."""
        try:
            async with asyncio.timeout(timeout_s):
                while True:
                    await self._ready.wait()
                    if self._session is not None and not self._session.lost.is_set():
                        return self._session
                    self._ready.clear()
        except TimeoutError as error:
            raise DeadlinePassed("the engine gave no session in time") from error

    async def __aenter__(self) -> Self:
        self._task = asyncio.get_running_loop().create_task(self._run())
        return self

    async def __aexit__(self, *_error: object) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _run(self) -> None:
        while True:
            session = await self._open()
            self._session = session
            self._ready.set()
            for callback in self._on_session:
                callback(session)
            await session.lost.wait()
            await session.close()

    async def _open(self) -> Session:
        pause_s = PAUSE_MIN_S
        while True:
            try:
                return await Session.open(self._engine, self._spec, self._clock)
            except StorageError:
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, PAUSE_MAX_S)
