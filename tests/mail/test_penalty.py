"""Wrong secrets wait longer and longer, counted over all directors."""

from __future__ import annotations

from dataclasses import replace

import pytest

from l7lb.mail.penalty import Penalty
from l7lb.mail.tally import LOCAL_KEYS, Tally, network_of
from l7lb.model_mail import PenaltySpec
from l7lb.ports import ManualClock
from l7lb_storage import MemoryEngine, Store, World

SPEC = PenaltySpec()


def penalty_of(store: Store | None = None, clock: ManualClock | None = None) -> Penalty:
    return Penalty(Tally(lambda: store, (clock or ManualClock()).now))


async def test_each_failure_waits_longer_and_the_last_delay_stays() -> None:
    penalty = penalty_of()
    found = [await penalty.failed(SPEC, "192.0.2.1") for _ in range(7)]
    assert found == [0.0, 2.0, 4.0, 8.0, 15.0, 15.0, 15.0]


async def test_they_are_forgotten_after_the_window() -> None:
    clock = ManualClock()
    penalty = penalty_of(clock=clock)
    await penalty.failed(SPEC, "192.0.2.1")
    clock.advance(SPEC.window_s)
    assert await penalty.failed(SPEC, "192.0.2.1") == 0.0


async def test_directors_count_together() -> None:
    engine = MemoryEngine(World())
    await engine.open()
    store = Store(engine)
    directors = [penalty_of(store) for _ in range(3)]
    found = [await each.failed(SPEC, "192.0.2.1") for each in directors]
    assert found == [0.0, 2.0, 4.0]
    await store.close()
    await engine.close()


async def test_a_store_that_is_away_does_not_matter() -> None:
    engine = MemoryEngine(World())
    await engine.open()
    store = Store(engine, timeout_s=0.1)
    await engine.close()
    penalty = penalty_of(store)
    await penalty.failed(SPEC, "192.0.2.1")
    assert await penalty.failed(SPEC, "192.0.2.1") == 2.0


async def test_no_penalty() -> None:
    assert await penalty_of().failed(replace(SPEC, delays_s=()), "::1") == 0.0


async def test_a_crowd_of_networks_is_bounded() -> None:
    tally = Tally(lambda: None, ManualClock().now)
    for number in range(LOCAL_KEYS + 5):
        await tally.add(str(number), 1, 60.0)
    assert len(tally._local) == LOCAL_KEYS


@pytest.mark.parametrize(
    ("source", "network"),
    [
        ("192.0.2.7", "192.0.2.7/32"),
        ("2001:db8:1:2::7", "2001:db8:1::/48"),
        ("not an address", "not an address"),
    ],
)
def test_what_counts_as_one_client(source: str, network: str) -> None:
    assert network_of(source, SPEC.prefix_length) == network
