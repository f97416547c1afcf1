"""Rates, greylist and penalties: counted over all directors, and never in the way of mail."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from l7lb.mail.penalty import Penalty
from l7lb.mail.smtp.guard import COME_AGAIN, TOO_MANY, Asked, Guard
from l7lb.mail.tally import LOCAL_KEYS, Tally, network_of
from l7lb.model_mail import GreylistSpec, PenaltySpec, RateKey, RateSpec, SmtpOptions
from l7lb.ports import ManualClock
from l7lb_storage import MemoryEngine, Store
from support.smtp_rig import ENVELOPE, MailRig, MailServer

ALICE = "alice@example.org"
ASKED = Asked("mx", "192.0.2.9", "", "sam@sender.example", ALICE)
GREY = SmtpOptions(greylist=GreylistSpec(delay_s=60.0))


@pytest.fixture
async def store() -> AsyncIterator[Store]:
    engine = MemoryEngine()
    await engine.open()
    found = Store(engine)
    yield found
    await found.close()
    await engine.close()


def guard(store: Store | None, clock: ManualClock) -> Guard:
    return Guard(Tally(lambda: store, clock.now), clock.now)


async def test_rates_are_shared_by_directors(store: Store) -> None:
    clock = ManualClock()
    options = SmtpOptions(rates=(RateSpec(RateKey.SOURCE, 3, 600.0),))
    one, other = guard(store, clock), guard(store, clock)
    assert [await g.refusal(options, ASKED) for g in (one, other, one)] == [None] * 3
    assert await other.refusal(options, ASKED) == TOO_MANY
    assert await one.refusal(options, replace(ASKED, source="192.0.2.10")) is None


@pytest.mark.parametrize("key", list(RateKey))
async def test_each_key_counts_its_own(store: Store, key: RateKey) -> None:
    asked = replace(ASKED, account="bob")
    options = SmtpOptions(rates=(RateSpec(key, 1, 600.0),))
    one = guard(store, ManualClock())
    assert await one.refusal(options, asked) is None
    assert await one.refusal(options, asked) == TOO_MANY
    assert await one.refusal(options, replace(asked, **{key.value: "else"})) is None


async def test_who_is_new_comes_again(store: Store) -> None:
    clock = ManualClock()
    one, other = guard(store, clock), guard(store, clock)
    assert await one.refusal(GREY, ASKED) == COME_AGAIN
    clock.advance(59)
    assert await other.refusal(GREY, replace(ASKED, source="192.0.2.77")) == COME_AGAIN
    clock.advance(1)
    assert await other.refusal(GREY, ASKED) is None
    assert await other.refusal(GREY, replace(ASKED, sender="x@y.example")) == COME_AGAIN
    assert await other.refusal(GREY, replace(ASKED, account="bob", sender="z@y")) is None
    clock.advance(10 * 86400)
    assert await one.refusal(GREY, ASKED) is None


async def test_a_value_that_is_not_ours_counts_as_nothing(store: Store) -> None:
    one = guard(store, ManualClock())
    await one.refusal(GREY, ASKED)
    [item] = (await store.range("")).items
    await store.put(item.key, b"nonsense")
    assert await one.refusal(GREY, ASKED) == COME_AGAIN


async def test_a_store_that_is_away_weakens_limits_only(caplog: pytest.LogCaptureFixture) -> None:
    clock = ManualClock()
    away = Store(MemoryEngine())  # never opened: every call is Unavailable
    one = guard(away, clock)
    assert await one.refusal(GREY, ASKED) is None
    options = SmtpOptions(rates=(RateSpec(RateKey.SOURCE, 1, 600.0),))
    assert await one.refusal(options, ASKED) is None
    assert await one.refusal(options, ASKED) == TOO_MANY
    clock.advance(600)
    assert await one.refusal(options, ASKED) is None
    assert caplog.text.count("the store is away") == 2
    assert await guard(None, clock).refusal(GREY, ASKED) is None


async def test_what_is_counted_here_is_bounded() -> None:
    tally = Tally(lambda: None, ManualClock().now)
    for number in range(LOCAL_KEYS + 10):
        await tally.add(str(number), 1, 60.0)
    assert await tally.add("0", 1, 60.0) == 1
    assert await tally.add(str(LOCAL_KEYS + 9), 1, 60.0) == 2


async def test_failures_cost_more_and_more() -> None:
    penalty = Penalty(Tally(lambda: None, ManualClock().now))
    spec = PenaltySpec(delays_s=(0.0, 2.0, 4.0))
    waits = [await penalty.failed(spec, "2001:db8:1::5") for _ in range(3)]
    assert waits == [0.0, 2.0, 4.0]
    assert await penalty.failed(spec, "2001:db8:1:ffff::9") == 4.0
    assert await penalty.failed(spec, "2001:db8:2::9") == 0.0
    assert await penalty.failed(PenaltySpec(delays_s=()), "192.0.2.1") == 0.0


def test_networks() -> None:
    assert network_of("192.0.2.77", (24, 64)) == "192.0.2.0/24"
    assert network_of("2001:db8::1:2:3:4", (24, 64)) == "2001:db8::/64"
    assert network_of("", (24, 64)) == ""


async def test_the_client_hears_of_it(store: Store) -> None:
    options = SmtpOptions(
        host_name="mx.example.org",
        greylist=GreylistSpec(delay_s=60.0),
        rates=(RateSpec(RateKey.SOURCE, 2, 600.0),),
    )
    async with MailRig([MailServer()], {ALICE: "m1"}, smtp=options, store=store) as rig:
        async with await rig.client() as client:
            await client.codes(*ENVELOPE)
            assert (await client.say(f"RCPT TO:<{ALICE}>"))[0][:9] == "451 4.7.1"
            rig.office.offset_s = 61.0
            assert await client.codes(f"RCPT TO:<{ALICE}>", f"RCPT TO:<{ALICE}>") == ["250", "450"]
            assert (await client.message())[:3] == "250"
