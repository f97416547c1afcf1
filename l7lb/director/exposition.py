"""Where Prometheus asks: a TCP listener of its own, which answers GET /metrics alone."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import web
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from l7lb.director.listeners import open_listener
from l7lb.model import Address

BACKLOG = 64
DEADLINE_S = 30.0


class MetricsServer:
    """The listener. `render` gives the text."""

    def __init__(self, render: Callable[[], Awaitable[bytes]]) -> None:
        self._render = render
        self._runner: web.AppRunner | None = None
        self.address: Address | None = None

    async def move(self, address: Address | None) -> None:
        """Listen there from now on (None: nowhere). Raises OSError, and stays where it was."""
        if address == self.address:
            return
        runner = None if address is None else await self._listen(address)
        before, self._runner = self._runner, runner
        self.address = address
        if before is not None:
            await before.cleanup()

    async def close(self) -> None:
        await self.move(None)

    async def _listen(self, address: Address) -> web.AppRunner:
        sock = open_listener(address, BACKLOG)
        app = web.Application(client_max_size=1024)
        app.router.add_get("/metrics", self._answer)
        runner = web.AppRunner(app, access_log=None)
        try:
            await runner.setup()
            await web.SockSite(runner, sock).start()
        except BaseException:
            sock.close()
            await runner.cleanup()
            raise
        return runner

    async def _answer(self, _: web.Request) -> web.Response:
        async with asyncio.timeout(DEADLINE_S):
            body = await self._render()
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})
