"""One lock that a session holds.

It owns what the holder knows of it: mode, token, whether it may still write. It must not know
which engine grants.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol, Self

from l7lb_storage.engine import Engine
from l7lb_storage.errors import LeaseLost
from l7lb_storage.grant import is_weaker
from l7lb_storage.model import Claim, Grant, Notice
from l7lb_storage.modes import Mode

EARLY = 16
"""Notices that are kept for a lock which is not held yet; one would do to hand it over."""
Handler = Callable[["Lock", Notice], Awaitable[None] | None]
"""Told that somebody waits. It should finish what is under way and release, within a few seconds.

It runs in the event loop; what it returns is awaited in a task of the session.
"""


class Keeper(Protocol):
    """What a lock needs of the session that it is held under."""

    @property
    def engine(self) -> Engine: ...

    @property
    def valid(self) -> bool: ...

    async def convert(self, claim: Claim, grant: Grant, mode: Mode) -> Grant: ...

    def forget(self, lock: Lock) -> None: ...

    def run(self, work: Awaitable[None]) -> None: ...


class Lock:
    """Also an asynchronous context manager that releases.

    `valid` asks nobody and is what to look at before each write; `token` is what to hand to the
    storage, and up-conversion changes it.
    """

    def __init__(self, session: Keeper, claim: Claim, handler: Handler | None) -> None:
        self.session = session
        self.claim = claim
        self.grant: Grant | None = None
        self._handler = handler
        self._early: list[Notice] = []

    @property
    def resource(self) -> str:
        return self.claim.resource

    @property
    def mode(self) -> Mode:
        return self._granted.mode

    @property
    def token(self) -> int:
        """The fencing token. Raises LeaseLost when the lock was released."""
        return self._granted.token

    @property
    def valid(self) -> bool:
        """May the holder write now?"""
        return self.grant is not None and self.session.valid

    @property
    def _granted(self) -> Grant:
        if self.grant is None:
            raise LeaseLost(f"{self.claim.resource!r} is not held")
        return self.grant

    def check(self) -> None:
        """Raises LeaseLost unless `valid`."""
        if not self.valid:
            raise LeaseLost(f"{self.claim.resource!r} is not held any more")

    async def convert(self, mode: Mode) -> None:
        """Change the mode. Downwards it works at once and keeps the token.

        Upwards it is tried once, gives a new token, and is refused with ConversionRefused while
        anybody holds or waits whom the new mode excludes: two readers that both waited to write
        would wait for ever. Then release, and acquire the stronger mode, or take PW from the start.
        From the call on, and when it raises or is cancelled, count on the weaker of the two modes;
        that is what `mode` says.
        """
        self.check()
        before = self._granted
        if is_weaker(mode, before.mode):
            self.grant = Grant(mode, before.token)
        grant = await self.session.convert(self.claim, before, mode)
        if self.grant is not None:
            self.grant = grant

    async def release(self) -> bool:
        """True: released now. False: it was lost, or released before; nothing was touched.

        When it raises Unavailable the lock is not held here any more, and the engine goes on
        trying to take it away.
        """
        grant, self.grant = self.grant, None
        if grant is None:
            return False
        self.session.forget(self)
        return await self.session.engine.release(self.claim, grant)

    def notice(self, notice: Notice) -> None:
        """For the engine: somebody waits. Kept until the lock is really held."""
        if self._handler is None:
            return
        if self.grant is None:
            if len(self._early) < EARLY:
                self._early.append(notice)
            return
        asyncio.get_running_loop().call_soon(self._tell, notice)

    def granted(self, grant: Grant) -> None:
        """For the session: it is held from now on."""
        self.grant = grant
        early, self._early = self._early, []
        for notice in early:
            self.notice(notice)

    def _tell(self, notice: Notice) -> None:
        """On its own: what a handler raises is the loop's to report and no engine's to suffer."""
        assert self._handler is not None
        if self.grant is None:
            return
        result = self._handler(self, notice)
        if result is not None:
            self.session.run(result)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.release()
