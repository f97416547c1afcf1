from __future__ import annotations

import asyncio
import logging
import socket
import threading
from collections.abc import AsyncIterator, Callable

import pytest

from l7lb.health import resolve
from l7lb.health.resolve import Resolver, system_lookup
from l7lb.model import Address, Endpoint, PoolSpec, ServerSpec
from l7lb.ports import ManualClock

Answer = list[Endpoint] | Exception


def ip(address: str, port: int = 80) -> Endpoint:
    return socket.AF_INET, (address, port)


class Stage:
    """A resolver whose name server says what the test says."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.asked: list[str] = []
        self.changes: list[tuple[str, str, Endpoint]] = []
        self.clock = ManualClock()
        self._loop = asyncio.get_running_loop()
        self._something = asyncio.Event()
        self.resolver = Resolver(self._on_change, self.clock, lambda: 0.5, self._lookup)

    def _lookup(self, host: str, port: int) -> list[Endpoint]:
        self._loop.call_soon_threadsafe(self._note, host)
        answer = self.answers[host]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _note(self, host: str) -> None:
        self.asked.append(host)
        self._something.set()

    def _on_change(self, pool: str, server: str, endpoint: Endpoint) -> None:
        self.changes.append((pool, server, endpoint))
        self._something.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self._something.clear()
            await asyncio.wait_for(self._something.wait(), 10)

    async def asked_again(self) -> None:
        """A look-up that began after now has been taken in."""
        wanted = len(self.asked) + 3
        await self.until(lambda: len(self.asked) >= wanted)


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    found = Stage()
    yield found
    await found.resolver.close()


def pools(resolve_s: float = 0.005, **hosts: str) -> dict[str, PoolSpec]:
    servers = tuple(ServerSpec(name, Address(host, 80)) for name, host in hosts.items())
    return {"web": PoolSpec("web", servers, resolve_s=resolve_s)}


async def test_the_first_address_is_used_and_all_are_shown(stage: Stage) -> None:
    stage.answers["db.example.org"] = [ip("10.0.0.1"), ip("10.0.0.2")]
    stage.resolver.reconcile(pools(3600, a="db.example.org"))
    await stage.until(lambda: bool(stage.changes))
    assert stage.changes == [("web", "a", ip("10.0.0.1"))]
    assert stage.resolver.endpoints() == {("web", "a"): ip("10.0.0.1")}
    stage.clock.advance(3)
    assert stage.resolver.view() == {
        "web": {
            "a": {
                "name": "db.example.org",
                "addresses": ["10.0.0.1", "10.0.0.2"],
                "used": "10.0.0.1",
                "age_s": 3.0,
                "error": "",
            }
        }
    }


async def test_literal_addresses_are_not_asked_for(stage: Stage) -> None:
    stage.resolver.reconcile(pools(a="10.0.0.1", b="::1", c="unix:/run/x"))
    assert stage.resolver.view() == {}
    assert stage.resolver.endpoints() == {}


async def test_rotated_answers_move_nobody_and_new_ones_do(stage: Stage) -> None:
    stage.answers["db.example.org"] = [ip("10.0.0.1"), ip("10.0.0.2")]
    stage.resolver.reconcile(pools(a="db.example.org"))
    await stage.until(lambda: bool(stage.changes))
    stage.answers["db.example.org"] = [ip("10.0.0.2"), ip("10.0.0.1")]
    await stage.asked_again()
    assert len(stage.changes) == 1
    stage.answers["db.example.org"] = [ip("10.0.0.3")]
    await stage.until(lambda: len(stage.changes) == 2)
    assert stage.changes[1] == ("web", "a", ip("10.0.0.3"))


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (socket.gaierror(-2, "Name or service not known"), "Name or service not known"),
        (UnicodeError("label too long"), "label too long"),
        ([], "the name has no address"),
    ],
)
async def test_the_last_good_answer_stays(stage: Stage, answer: Answer, error: str) -> None:
    stage.answers["db.example.org"] = [ip("10.0.0.1")]
    stage.resolver.reconcile(pools(a="db.example.org"))
    await stage.until(lambda: bool(stage.changes))
    stage.answers["db.example.org"] = answer
    await stage.asked_again()
    view = stage.resolver.view()["web"]["a"]
    assert (view["used"], view["error"]) == ("10.0.0.1", error)
    stage.answers["db.example.org"] = [ip("10.0.0.1")]
    await stage.asked_again()
    assert stage.resolver.view()["web"]["a"]["error"] == ""
    assert len(stage.changes) == 1


async def test_a_failure_is_logged_once(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    stage.answers["no.example.org"] = socket.gaierror(-2, "Name or service not known")
    with caplog.at_level(logging.WARNING):
        stage.resolver.reconcile(pools(a="no.example.org"))
        await stage.asked_again()
    assert [record.message for record in caplog.records] == [
        "look-up of no.example.org failed: Name or service not known; the server has no address"
    ]


async def test_retries_after_a_failure_are_quick_at_first(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    real_sleep = asyncio.sleep
    waits: list[float] = []
    enough = asyncio.Event()

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 7:
            enough.set()
        await real_sleep(0 if len(waits) < 7 else 3600)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    stage.answers["no.example.org"] = socket.gaierror(-2, "no")
    stage.resolver.reconcile(pools(30.0, a="no.example.org"))
    await enough.wait()
    assert waits == [1, 2, 4, 8, 16, 30, 30]


async def test_a_look_up_that_hangs_meets_its_deadline(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = threading.Event()
    monkeypatch.setattr(resolve, "DEADLINE_S", 0.01)

    def lookup(host: str, port: int) -> list[Endpoint]:
        if host == "slow.example.org":
            release.wait(10)
        return [ip("10.0.0.5")]

    resolver = Resolver(stage._on_change, stage.clock, lambda: 0.5, lookup)
    resolver.reconcile(pools(a="slow.example.org", b="db.example.org"))
    await stage.until(lambda: bool(stage.changes))
    assert stage.changes == [("web", "b", ip("10.0.0.5"))]
    release.set()
    await stage.until(lambda: len(stage.changes) == 2)
    await resolver.close()


async def test_reconcile_keeps_what_stays_and_drops_what_left(stage: Stage) -> None:
    stage.answers = {"a.example": [ip("10.0.0.1")], "b.example": [ip("10.0.0.2")]}
    stage.resolver.reconcile(pools(3600, a="a.example", b="b.example"))
    await stage.until(lambda: len(stage.changes) == 2)
    stage.answers["c.example"] = [ip("10.0.0.3")]
    stage.resolver.reconcile(pools(1800, a="a.example", b="c.example"))
    assert stage.resolver.endpoints() == {("web", "a"): ip("10.0.0.1")}
    await stage.until(lambda: len(stage.changes) == 3)
    assert sorted(stage.asked) == ["a.example", "b.example", "c.example"]
    stage.resolver.reconcile({})
    assert stage.resolver.view() == {}


async def test_a_listener_that_raises_stops_nothing(caplog: pytest.LogCaptureFixture) -> None:
    called = asyncio.Event()

    def raises(pool: str, server: str, endpoint: Endpoint) -> None:
        called.set()
        raise RuntimeError("no worker")

    resolver = Resolver(raises, ManualClock(), lambda: 0.5, lambda host, port: [ip("10.0.0.1")])
    with caplog.at_level(logging.ERROR):
        resolver.reconcile(pools(a="db.example.org"))
        await asyncio.wait_for(called.wait(), 10)
        await asyncio.sleep(0)
    assert "could not be passed on" in caplog.text
    assert resolver.endpoints() == {("web", "a"): ip("10.0.0.1")}
    await resolver.close()


def test_the_systems_look_up_gives_each_address_once(monkeypatch: pytest.MonkeyPatch) -> None:
    four = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.0.0.1", 80))
    six = (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("fe80::1", 80, 0, 3))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *a, **k: [six, four, six, four])
    assert system_lookup("db.example.org", 80) == [
        (socket.AF_INET6, ("fe80::1", 80, 0, 3)),
        ip("10.0.0.1"),
    ]


def test_the_systems_look_up_knows_localhost() -> None:
    assert ip("127.0.0.1", 8080) in system_lookup("localhost", 8080)
