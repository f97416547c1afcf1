"""Bytes a second, and a thread that is told to stop."""

from __future__ import annotations

import asyncio
import threading

import pytest

from l7lb.errors import MigrationError
from l7lb.mail.migration.pace import Pace


class Wheel:
    """A clock that a wait turns on."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.waits: list[float] = []

    def __call__(self) -> float:
        return self.now_s

    def wait(self, seconds: float) -> bool:
        self.waits.append(seconds)
        self.now_s += seconds
        return False


@pytest.fixture
def wheel() -> Wheel:
    return Wheel()


def paced(bytes_s: float, wheel: Wheel, monkeypatch: pytest.MonkeyPatch) -> Pace:
    pace = Pace(bytes_s, wheel)
    monkeypatch.setattr(pace._stopped, "wait", wheel.wait)
    return pace


def test_so_many_bytes_a_second(wheel: Wheel, monkeypatch: pytest.MonkeyPatch) -> None:
    pace = paced(1000.0, wheel, monkeypatch)
    for _ in range(10):
        pace.spend(500)
    assert wheel.now_s == pytest.approx(105.0)
    wheel.now_s += 60.0  # what was not used is not saved up
    pace.spend(2500)
    assert wheel.now_s == pytest.approx(167.5)
    assert max(wheel.waits) <= 1.0


def test_without_a_limit_nothing_waits(wheel: Wheel, monkeypatch: pytest.MonkeyPatch) -> None:
    pace = paced(0.0, wheel, monkeypatch)
    pace.spend(10**12)
    assert wheel.waits == []


def test_a_stop_ends_a_wait() -> None:
    pace = Pace(0.001)
    threading.Timer(0.01, pace.stop).start()
    with pytest.raises(MigrationError, match="stopped"):
        pace.spend(10**9)


async def test_cancelled_means_that_the_thread_has_ended() -> None:
    pace = Pace(0.001)
    begun, ended = threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        try:
            pace.spend(10**9)
        finally:
            ended.set()

    task = asyncio.create_task(pace.run(work))
    await asyncio.to_thread(begun.wait, 20)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended.is_set()


async def test_results_and_errors_come_through() -> None:
    assert await Pace().run(lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        await Pace().run(lambda: 1 // 0)
