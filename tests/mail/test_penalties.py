"""Wrong secrets wait longer and longer, counted over all directors."""

from __future__ import annotations

from dataclasses import replace

import pytest

from l7lb.mail.penalties import NETWORKS, Penalties, network_of
from l7lb.model_mail import PenaltySpec
from l7lb.ports import ManualClock
from l7lb_storage import MemoryEngine, Store, World

SPEC = PenaltySpec()


async def test_each_failure_waits_longer_and_the_last_delay_stays() -> None:
    penalties = Penalties(ManualClock())
    found = [await penalties.failed("192.0.2.1", SPEC, None) for _ in range(7)]
    assert found == [0.0, 2.0, 4.0, 8.0, 15.0, 15.0, 15.0]


async def test_they_are_forgotten_after_the_window() -> None:
    clock = ManualClock()
    penalties = Penalties(clock)
    await penalties.failed("192.0.2.1", SPEC, None)
    clock.advance(SPEC.window_s)
    assert await penalties.failed("192.0.2.1", SPEC, None) == 0.0


async def test_directors_count_together() -> None:
    engine = MemoryEngine(World())
    await engine.open()
    store = Store(engine)
    directors = [Penalties(ManualClock()) for _ in range(3)]
    found = [await each.failed("192.0.2.1", SPEC, store) for each in directors]
    assert found == [0.0, 2.0, 4.0]
    await store.close()
    await engine.close()


async def test_a_store_that_is_away_does_not_matter() -> None:
    engine = MemoryEngine(World())
    await engine.open()
    store = Store(engine, timeout_s=0.1)
    await engine.close()
    penalties = Penalties(ManualClock())
    await penalties.failed("192.0.2.1", SPEC, None)
    assert await penalties.failed("192.0.2.1", SPEC, store) == 2.0


async def test_no_penalty() -> None:
    assert await Penalties(ManualClock()).failed("::1", replace(SPEC, delays_s=()), None) == 0.0


async def test_a_crowd_of_networks_is_bounded() -> None:
    penalties = Penalties(ManualClock())
    for number in range(NETWORKS + 5):
        await penalties.failed(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", SPEC, None)
    assert len(penalties._here) == NETWORKS


@pytest.mark.parametrize(
    ("source", "network"),
    [
        ("192.0.2.7", "192.0.2.7/32"),
        ("2001:db8:1:2::7", "2001:db8:1::/48"),
        ("", "local"),
        ("not an address", "not an address"),
    ],
)
def test_what_counts_as_one_client(source: str, network: str) -> None:
    assert network_of(source, SPEC.prefix_length) == network
