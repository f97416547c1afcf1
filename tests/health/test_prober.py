from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import pytest

from l7lb.health.events import EventHistory, HealthEvent
from l7lb.health.probe import ProbeFailed, Reply, Target
from l7lb.health.prober import Prober
from l7lb.model import (
    Address,
    CheckKind,
    CheckSpec,
    Endpoint,
    Health,
    PoolSpec,
    ServerSpec,
)
from l7lb.ports import ManualClock
from support.probe_targets import Origins

QUICK = CheckSpec(CheckKind.TCP, interval_s=0.01, fast_interval_s=0.002, rise=2, fall=2)


def pool(name: str, check: CheckSpec, **addresses: str) -> PoolSpec:
    servers = tuple(ServerSpec(n, Address(host, 80)) for n, host in addresses.items())
    return PoolSpec(name, servers, check=check)


def pools(*specs: PoolSpec) -> dict[str, PoolSpec]:
    return {spec.name: spec for spec in specs}


class Stage:
    """A prober whose probes find what the test says, by address."""

    def __init__(self) -> None:
        self.bad: dict[str, str] = {}
        """Host of an endpoint → what is wrong with it."""
        self.targets: list[Target] = []
        self.clock = ManualClock()
        self.seen: list[HealthEvent] = []
        self._changed = asyncio.Event()
        self.prober = self.make()

    def make(self, **more: object) -> Prober:
        return Prober(
            self._on_change,
            self.clock,
            random=lambda: 0.5,
            probes=dict.fromkeys(CheckKind, self.probe),
            **more,  # type: ignore[arg-type]
        )

    async def probe(self, target: Target, reply: Reply) -> str:
        self.targets.append(target)
        self._changed.set()
        reply.add(b"220 hello\r\n\xff")
        problem = self.bad.get(str(target.endpoint[1][0]))
        if problem is not None:
            raise ProbeFailed(problem)
        return "fine"

    def _on_change(self, event: HealthEvent) -> None:
        self.seen.append(event)
        self._changed.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self._changed.clear()
            await asyncio.wait_for(self._changed.wait(), 10)

    async def probed(self, times: int) -> None:
        """`times` more probes have begun."""
        wanted = len(self.targets) + times
        await self.until(lambda: len(self.targets) >= wanted)

    def verdicts(self) -> dict[tuple[str, str], Health]:
        return self.prober.verdicts()


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    found = Stage()
    yield found
    await found.prober.close()


async def test_the_first_probe_gives_the_verdict(stage: Stage) -> None:
    stage.bad["10.0.0.2"] = "burnt down"
    stage.prober.reconcile(pools(pool("web", QUICK, a="10.0.0.1", b="10.0.0.2")))
    assert stage.verdicts() == {("web", "a"): Health.UNKNOWN, ("web", "b"): Health.UNKNOWN}
    await stage.until(lambda: len(stage.seen) == 2)
    now = stage.clock.now()
    assert set(stage.seen) == {
        HealthEvent("web", "a", Health.UNKNOWN, Health.UP, "fine", now),
        HealthEvent("web", "b", Health.UNKNOWN, Health.DOWN, "burnt down", now),
    }
    assert set(stage.prober.events) == set(stage.seen)


async def test_down_and_up_again(stage: Stage) -> None:
    stage.prober.reconcile(pools(pool("web", QUICK, a="10.0.0.1")))
    await stage.until(lambda: len(stage.seen) == 1)
    stage.bad["10.0.0.1"] = "burnt down"
    await stage.until(lambda: len(stage.seen) == 2)
    stage.bad.clear()
    await stage.until(lambda: len(stage.seen) == 3)
    assert [event.new for event in stage.seen] == [Health.UP, Health.DOWN, Health.UP]


async def test_one_address_in_two_pools_has_two_verdicts(stage: Stage) -> None:
    """Judged by each pool's own check."""

    async def probe(target: Target, reply: Reply) -> str:
        if target.check.path == "/broken":
            raise ProbeFailed("500")
        return "200"

    prober = Prober(stage._on_change, stage.clock, probes={CheckKind.HTTP: probe})
    check = replace(QUICK, kind=CheckKind.HTTP)
    prober.reconcile(
        pools(
            pool("one", check, a="10.0.0.1"),
            pool("two", replace(check, path="/broken"), a="10.0.0.1"),
        )
    )
    await stage.until(lambda: len(stage.seen) == 2)
    assert prober.verdicts() == {("one", "a"): Health.UP, ("two", "a"): Health.DOWN}
    await prober.close()


async def test_what_did_not_change_is_left_alone(stage: Stage) -> None:
    slow = replace(QUICK, interval_s=3600.0)
    stage.prober.reconcile(pools(pool("web", slow, a="10.0.0.1")))
    await stage.until(lambda: len(stage.seen) == 1)
    changed = replace(pool("web", slow, a="10.0.0.1", b="10.0.0.2"), max_queue=1)
    stage.prober.reconcile(pools(changed))
    assert stage.verdicts() == {("web", "a"): Health.UP, ("web", "b"): Health.UNKNOWN}
    await stage.until(lambda: len(stage.seen) == 2)
    assert [target.host for target in stage.targets] == ["10.0.0.1", "10.0.0.2"]


async def test_another_check_keeps_the_verdict_until_it_speaks_against_it(stage: Stage) -> None:
    stage.bad["10.0.0.1"] = "burnt down"
    stage.prober.reconcile(pools(pool("web", QUICK, a="10.0.0.1")))
    await stage.until(lambda: len(stage.seen) == 1)
    stage.bad.clear()
    stage.prober.reconcile(pools(pool("web", replace(QUICK, path="/new"), a="10.0.0.1")))
    assert stage.verdicts() == {("web", "a"): Health.DOWN}
    assert stage.prober.view()["web"]["a"]["detail"] == "burnt down"
    await stage.until(lambda: len(stage.seen) == 2)
    assert stage.seen[1].old is Health.DOWN
    assert [target.check.path for target in stage.targets].count("/new") >= QUICK.rise


async def test_another_address_is_unknown_again(stage: Stage) -> None:
    stage.prober.reconcile(pools(pool("web", QUICK, a="10.0.0.1")))
    await stage.until(lambda: len(stage.seen) == 1)
    stage.prober.reconcile(pools(pool("web", QUICK, a="10.0.0.9")))
    assert (stage.seen[1].new, stage.seen[1].detail) == (Health.UNKNOWN, "the address changed")
    await stage.until(lambda: len(stage.seen) == 3)
    assert stage.targets[-1].endpoint == (socket.AF_INET, ("10.0.0.9", 80))


async def test_a_check_taken_away_makes_the_verdict_unknown(stage: Stage) -> None:
    stage.prober.reconcile(pools(pool("web", QUICK, a="10.0.0.1")))
    await stage.until(lambda: len(stage.seen) == 1)
    stage.prober.reconcile(pools(pool("web", CheckSpec(CheckKind.NONE), a="10.0.0.1")))
    assert (stage.seen[1].new, stage.seen[1].detail) == (Health.UNKNOWN, "no longer checked")
    assert stage.verdicts() == {}
    assert stage.prober.view() == {
        "web": {"a": {"health": "unknown", "check": "none", "detail": "not checked"}}
    }


async def test_a_server_that_left_says_nothing_more(stage: Stage) -> None:
    stage.prober.reconcile(pools(pool("web", QUICK, a="10.0.0.1", b="10.0.0.2")))
    await stage.until(lambda: len(stage.seen) == 2)
    stage.prober.reconcile(pools(pool("web", QUICK, b="10.0.0.2")))
    begun = len(stage.targets)
    await stage.probed(3)
    assert {target.host for target in stage.targets[begun:]} == {"10.0.0.2"}
    assert len(stage.seen) == 2
    assert stage.verdicts() == {("web", "b"): Health.UP}
    assert list(stage.prober.view()["web"]) == ["b"]


async def test_a_name_is_probed_once_it_has_an_address(stage: Stage) -> None:
    stage.prober.reconcile(pools(pool("web", QUICK, n="db.example.org", a="10.0.0.1")))
    await stage.until(lambda: len(stage.seen) == 1)
    assert stage.prober.view()["web"]["n"]["detail"] == "no address yet"
    here: Endpoint = (socket.AF_INET, ("10.0.0.7", 80))
    stage.prober.endpoint("web", "n", here)
    await stage.until(lambda: len(stage.seen) == 2)
    assert (stage.seen[1].server, stage.seen[1].new) == ("n", Health.UP)
    assert (here, "db.example.org") in [(t.endpoint, t.host) for t in stage.targets]


async def test_a_name_that_moves_is_probed_at_once_and_keeps_its_verdict(stage: Stage) -> None:
    never = replace(QUICK, interval_s=3600.0, fast_interval_s=3600.0)
    stage.prober.reconcile(pools(pool("web", never, n="db.example.org")))
    stage.prober.endpoint("web", "n", (socket.AF_INET, ("10.0.0.7", 80)))
    await stage.until(lambda: len(stage.seen) == 1)
    stage.bad["10.0.0.8"] = "burnt down"
    stage.prober.endpoint("web", "n", (socket.AF_INET, ("10.0.0.8", 80)))
    await stage.until(lambda: len(stage.targets) == 2)
    assert stage.verdicts() == {("web", "n"): Health.UP}
    stage.prober.endpoint("web", "n", (socket.AF_INET, ("10.0.0.8", 80)))
    stage.prober.endpoint("web", "other", (socket.AF_INET, ("10.0.0.8", 80)))
    assert stage.prober.verdicts() == {("web", "n"): Health.UP}


async def test_at_most_so_many_probes_at_once(stage: Stage) -> None:
    entered: list[str] = []
    gate = asyncio.Event()
    full = asyncio.Event()

    async def probe(target: Target, reply: Reply) -> str:
        entered.append(target.host)
        if len(entered) >= 2:
            full.set()
        await gate.wait()
        return "fine"

    check = replace(QUICK, interval_s=3600.0)
    addresses = {f"s{n}": f"10.0.0.{n}" for n in range(1, 6)}
    prober = Prober(
        stage._on_change,
        stage.clock,
        random=lambda: 0.0,
        probes={CheckKind.TCP: probe},
        at_once=2,
    )
    prober.reconcile(pools(pool("web", check, **addresses)))
    await full.wait()
    for _ in range(20):
        await asyncio.sleep(0)
    assert len(entered) == 2
    gate.set()
    await stage.until(lambda: len(stage.seen) == 5)
    assert sorted(entered) == sorted(addresses.values())
    await prober.close()


async def test_a_broken_probe_is_bad_and_is_logged(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    async def probe(target: Target, reply: Reply) -> str:
        raise KeyError("oops")

    prober = Prober(stage._on_change, stage.clock, probes={CheckKind.TCP: probe})
    with caplog.at_level(logging.ERROR):
        prober.reconcile(pools(pool("web", QUICK, a="10.0.0.1")))
        await stage.until(lambda: len(stage.seen) == 1)
    await prober.close()
    assert stage.seen[0].detail == "the probe itself failed: KeyError('oops')"
    assert any("web/a" in record.message and record.exc_info for record in caplog.records)


async def test_a_listener_that_raises_stops_nothing(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    def raises(event: HealthEvent) -> None:
        raise RuntimeError("no worker")

    prober = Prober(raises, stage.clock, probes={CheckKind.TCP: stage.probe})
    with caplog.at_level(logging.ERROR):
        prober.reconcile(pools(pool("web", QUICK, a="10.0.0.1")))
        await stage.until(lambda: len(stage.targets) >= 3)
    await prober.close()
    assert "could not be passed on" in caplog.text
    assert [event.new for event in prober.events] == [Health.UP]


async def test_view_shows_the_last_reply_and_its_age(stage: Stage) -> None:
    never = replace(QUICK, interval_s=3600.0, fast_interval_s=3600.0)
    stage.prober.reconcile(pools(pool("web", never, a="10.0.0.1")))
    before = stage.prober.view()["web"]["a"]
    assert (before["health"], before["age_s"], before["ok"]) == ("unknown", None, None)
    assert before["detail"] == "first probe under way"
    await stage.until(lambda: len(stage.seen) == 1)
    stage.clock.advance(5)
    view = stage.prober.view()["web"]["a"]
    assert view.pop("elapsed_s") is not None
    assert view == {
        "health": "up",
        "since_s": 5.0,
        "streak": 0,
        "check": "tcp",
        "probes": 1,
        "ok": True,
        "detail": "fine",
        "reply": "220 hello\r\n\\xff",
        "age_s": 5.0,
    }


async def test_close_stops_probes_that_are_under_way(stage: Stage) -> None:
    entered = asyncio.Event()
    cut: list[str] = []

    async def probe(target: Target, reply: Reply) -> str:
        entered.set()
        try:
            return await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            cut.append(target.host)
            raise

    prober = Prober(stage._on_change, stage.clock, probes={CheckKind.TCP: probe})
    prober.reconcile(pools(pool("web", QUICK, a="10.0.0.1")))
    await entered.wait()
    await prober.close()
    assert cut == ["10.0.0.1"]
    assert stage.seen == []


async def test_over_real_sockets(origins: Origins) -> None:
    good = await origins.says(b"HTTP/1.1 204 No Content\r\n\r\n")
    bad = await origins.says(b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n")
    servers = tuple(ServerSpec(str(port), Address("127.0.0.1", port)) for port in (good, bad))
    both = asyncio.Event()
    seen: dict[str, tuple[Health, str]] = {}

    def on_change(event: HealthEvent) -> None:
        seen[event.server] = (event.new, event.detail)
        if len(seen) == 2:
            both.set()

    prober = Prober(on_change, ManualClock())
    prober.reconcile({"web": PoolSpec("web", servers, check=CheckSpec(CheckKind.HTTP))})
    await asyncio.wait_for(both.wait(), 10)
    await prober.close()
    assert seen == {
        str(good): (Health.UP, "204 No Content"),
        str(bad): (Health.DOWN, "500 Oh"),
    }


def test_history_is_bounded_and_shows_the_newest_first() -> None:
    history = EventHistory(limit=2)
    for n in range(3):
        history.add(HealthEvent("web", f"s{n}", Health.UNKNOWN, Health.UP, "fine", float(n)))
    assert len(history) == 2
    assert [event.server for event in history] == ["s1", "s2"]
    assert history.view(now=10.0)[0] == {
        "pool": "web",
        "server": "s2",
        "old": "unknown",
        "new": "up",
        "detail": "fine",
        "age_s": 8.0,
    }
