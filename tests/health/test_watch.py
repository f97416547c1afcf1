"""When the next probe is due."""

from __future__ import annotations

import asyncio
import socket

import pytest

from l7lb.health.probe import ProbeFailed, Reply, Target
from l7lb.health.watch import FIRST_WITHIN_S, Watch, WatchEnvironment, WatchSpec
from l7lb.model import Address, CheckKind, CheckSpec
from l7lb.ports import ManualClock


class Waits:
    """Collects what a watch wants to wait, without waiting."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, enough: int) -> None:
        self.seconds: list[float] = []
        self.done = asyncio.Event()
        self._enough = enough
        real_sleep, real_timeout = asyncio.sleep, asyncio.timeout

        async def sleep(seconds: float) -> None:
            self.seconds.append(seconds)
            await real_sleep(0)

        def timeout(seconds: float | None) -> asyncio.Timeout:
            if seconds == 77.0:  # the probe's own deadline
                return real_timeout(seconds)
            assert seconds is not None
            self.seconds.append(seconds)
            if len(self.seconds) >= self._enough:
                self.done.set()
                return real_timeout(None)
            return real_timeout(0)

        monkeypatch.setattr(asyncio, "sleep", sleep)
        monkeypatch.setattr(asyncio, "timeout", timeout)


async def waits_of(
    monkeypatch: pytest.MonkeyPatch, found: str, random: float, check: CheckSpec
) -> list[float]:
    """The waits before the first and after each probe; `found` has one `+` or `-` for each."""
    answers = iter(found)

    async def probe(target: Target, reply: Reply) -> str:
        if next(answers) == "-":
            raise ProbeFailed("bad")
        return "fine"

    waits = Waits(monkeypatch, enough=len(found) + 1)
    env = WatchEnvironment(
        ManualClock(), lambda: random, {CheckKind.TCP: probe}, asyncio.Semaphore(), lambda e: None
    )
    spec = WatchSpec("web", "a", Address("10.0.0.1", 80), check)
    watch = Watch(spec, env, (socket.AF_INET, ("10.0.0.1", 80)))
    await waits.done.wait()
    watch.stop()
    return waits.seconds


CHECK = CheckSpec(interval_s=20.0, fast_interval_s=5.0, timeout_s=77.0, rise=2, fall=2, jitter=0.1)


async def test_faster_while_in_doubt(monkeypatch: pytest.MonkeyPatch) -> None:
    waits = await waits_of(monkeypatch, "++-+--+-++", 0.5, CHECK)
    steps = [round(wait) for wait in waits[1:]]
    assert steps == [20, 20, 5, 20, 5, 20, 5, 20, 5, 20]


async def test_the_fast_interval_is_never_the_slower_one(monkeypatch: pytest.MonkeyPatch) -> None:
    check = CheckSpec(interval_s=5.0, fast_interval_s=20.0, timeout_s=77.0, jitter=0.0)
    waits = await waits_of(monkeypatch, "+-+", 0.5, check)
    assert [round(wait) for wait in waits[1:]] == [5, 5, 5]


@pytest.mark.parametrize(("random", "expected"), [(0.0, 18), (0.5, 20), (0.999999, 22)])
async def test_jitter_spreads_the_waits(
    monkeypatch: pytest.MonkeyPatch, random: float, expected: int
) -> None:
    waits = await waits_of(monkeypatch, "+", random, CHECK)
    assert waits[0] == random * FIRST_WITHIN_S
    assert round(waits[1]) == expected
