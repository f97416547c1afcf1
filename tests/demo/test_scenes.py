"""The scenes against a stand-in for the director: they must find fault when there is fault."""

import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import pytest

from l7lb.demo import scenes
from l7lb.demo.client import Visit
from l7lb.demo.cluster import Cluster
from l7lb.demo.origin import Origin
from l7lb.demo.rules import PORTS, OriginSpec, plan
from l7lb.demo.scenes import Stage, Tally, Unexpected
from l7lb.demo.table import Table


class StandIn:
    """A cluster that is one origin."""

    def __init__(self, port: int) -> None:
        self.spec = plan([port, *range(1, PORTS)], Path("/demo"), nginx=True, mail=False)


@asynccontextmanager
async def stage() -> AsyncIterator[Stage]:
    server = await Origin("web-1").serve("127.0.0.1", 0)
    cluster = cast("Cluster", StandIn(server.sockets[0].getsockname()[1]))
    yield Stage(cluster, Table(io.StringIO(), ["web-1", "web-2"]))
    server.close()


async def test_spread_counts_every_visit() -> None:
    async with stage() as here:
        await scenes.spread(here, "label", [Visit("/")] * 40, {"web-1"})
        assert (here.visits, here.failures) == (40, [])


async def test_spread_finds_a_missing_server() -> None:
    async with stage() as here:
        with pytest.raises(Unexpected, match=r"\['web-1'\] answered"):
            await scenes.spread(here, "label", [Visit("/")] * 4, {"web-1", "web-2"})


async def test_sticky_finds_a_missing_cookie() -> None:
    async with stage() as here:
        with pytest.raises(Unexpected, match="no L7LB cookie"):
            await scenes.sticky(here)


async def test_tunnel() -> None:
    async with stage() as here:
        await scenes.tunnel(here)
        assert (here.visits, here.failures) == (4, [])


async def test_wrong_status_and_broken_visit_are_failures() -> None:
    async with stage() as here:
        tally = Tally()
        await here.visit(tally, Visit("/"), expected=204)
        await here.visit(tally, Visit("/bad path\r\nbroken"))
        assert tally.failures[0] == "status 200"
        assert len(tally.failures) == 2
        assert tally.visits == 2


async def test_load_goes_on_until_the_events_are_over() -> None:
    async with stage() as here:

        async def events(tally: Tally) -> None:
            await scenes.until(lambda: tally.visits >= 10)

        await scenes.under_load(here, "label", events)
        assert here.visits >= 10


async def test_load_reports_events_that_fail() -> None:
    async with stage() as here:

        async def events(tally: Tally) -> None:
            raise Unexpected("as told")

        with pytest.raises(Unexpected, match="as told"):
            await scenes.under_load(here, "label", events)


async def test_until_gives_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scenes, "HEALTHY_S", 0.01)
    with pytest.raises(Unexpected, match="did not recover"):
        await scenes.until(lambda: False)


def test_origins_by_engine() -> None:
    origins = [OriginSpec("a", "p", "nginx", 1), OriginSpec("b", "p", "python", 2)]
    assert scenes.by_engine(origins) == "nginx: a; python: b"
