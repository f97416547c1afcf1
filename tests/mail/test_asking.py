"""Rounds of questions to servers: whom, when, and that no server holds up the others."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from unittest.mock import patch

import pytest

from l7lb.mail.asking import Asking, connected, context_of, name_of
from l7lb.model import Address, PoolSpec, ServerSpec, ServerTls
from l7lb.pool.pool import Pool
from l7lb.pool.server import Server
from support.pools import PoolStory


class Counting(Asking):
    """Asks nobody; some servers hang, some fail."""

    def __init__(self, pools: Mapping[str, Pool]) -> None:
        super().__init__(pools)
        self.asked: list[str] = []

    async def learn(self, pool: Pool, server: Server) -> None:
        self.asked.append(server.name)
        if server.name == "hangs":
            await asyncio.Event().wait()
        if server.name == "fails":
            raise ConnectionError("no")


def pools(*names: str, **more: object) -> dict[str, Pool]:
    servers = tuple(ServerSpec(name, Address("mail.invalid", 143)) for name in names)
    return {"mail": PoolStory(PoolSpec("mail", servers, **more)).pool}  # type: ignore[arg-type]


async def test_all_are_asked_whatever_some_do(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "l7lb.mail")
    asking = Counting(pools("hangs", "fails", "answers"))
    with patch("l7lb.mail.asking.ANSWER_S", 0.1):
        await asking.ask(["mail", "unknown"])
    assert asking.asked == ["hangs", "fails", "answers"]
    reasons = {record.__dict__["reason"] for record in caplog.records}
    assert reasons == {"no answer in time", "no"}


async def test_whoever_is_wanted_anew_is_asked_at_once() -> None:
    asking = Counting(pools("one"))
    running = asyncio.create_task(asking.run())
    for rounds in (1, 2, 3):
        asking.want(["mail"])
        async with asyncio.timeout(30):
            while asking.rounds < rounds:
                await asyncio.sleep(0)
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    assert set(asking.asked) == {"one"}


async def test_a_name_without_an_address_is_not_dialled() -> None:
    (pool,) = pools("one").values()
    with pytest.raises(ConnectionError):
        await connected(pool, pool.servers[0], 0)


def test_the_name_in_tls() -> None:
    (pool,) = pools("one").values()
    assert (context_of(pool), name_of(pool, pool.servers[0])) == (None, None)
    (pool,) = pools("one", tls=ServerTls(verify=False)).values()
    assert context_of(pool) is not None
    assert name_of(pool, pool.servers[0]) == "mail.invalid"
    (pool,) = pools("one", tls=ServerTls(server_name="other.example")).values()
    assert name_of(pool, pool.servers[0]) == "other.example"
