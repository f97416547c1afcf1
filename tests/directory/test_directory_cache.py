"""What is remembered, for how long, and how often the directory is asked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from l7lb.accounts import Account
from l7lb.directory.cache import Cache
from l7lb.errors import DirectoryAway, DirectoryConfused
from l7lb.model_directory import CacheSpec
from l7lb.ports import ManualClock
from support.directories import turns

ALICE = Account("alice@example.org", handle="cn=alice")
KEY = ("account", "alice@example.org")
SPEC = CacheSpec(positive_s=300, negative_s=30, stale_s=3600, limit=3)


class Source:
    """Answers what it is told to, when it is told to."""

    def __init__(self, answer: Account | Exception | None = ALICE) -> None:
        self.answer = answer
        self.asked = 0
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self) -> Account | None:
        self.asked += 1
        answer = self.answer
        await self.gate.wait()
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def cache(clock: ManualClock) -> Cache:
    return Cache(SPEC, clock)


async def found(cache: Cache, source: Source, key: tuple[str, str] = KEY) -> Account | None:
    return (await cache.get(key, source)).account


@pytest.mark.parametrize(("answer", "life_s"), [(ALICE, 300), (None, 30)])
async def test_answers_live(
    cache: Cache, clock: ManualClock, answer: Account | None, life_s: int
) -> None:
    source = Source(answer)
    assert await found(cache, source) is answer
    clock.advance(life_s - 0.5)
    assert await found(cache, source) is answer
    assert source.asked == 1
    clock.advance(1)
    assert await found(cache, source) is answer
    assert source.asked == 2


async def test_an_old_answer_while_the_directory_is_away(cache: Cache, clock: ManualClock) -> None:
    source = Source()
    await found(cache, source)
    source.answer = DirectoryAway("away")
    clock.advance(3599)
    assert await found(cache, source) is ALICE
    assert cache.counts.stale == 1
    clock.advance(2)
    with pytest.raises(DirectoryAway):
        await found(cache, source)


async def test_that_nobody_is_there_is_not_believed_when_old(
    cache: Cache, clock: ManualClock
) -> None:
    source = Source(None)
    assert await found(cache, source) is None
    source.answer = DirectoryAway("away")
    assert await found(cache, source) is None
    clock.advance(31)
    with pytest.raises(DirectoryAway):
        await found(cache, source)


async def test_nonsense_is_no_reason_for_an_old_answer(cache: Cache, clock: ManualClock) -> None:
    source = Source()
    await found(cache, source)
    source.answer = DirectoryConfused("two entries")
    clock.advance(301)
    with pytest.raises(DirectoryConfused):
        await found(cache, source)


async def test_one_question_for_all_who_ask_at_once(cache: Cache) -> None:
    source = Source()
    source.gate.clear()
    asking = [asyncio.create_task(found(cache, source)) for _ in range(10)]
    await turns(10)
    source.gate.set()
    assert await asyncio.gather(*asking) == [ALICE] * 10
    assert (source.asked, cache.counts.joined) == (1, 9)


async def test_who_gives_up_takes_no_answer_from_others(cache: Cache) -> None:
    source = Source()
    source.gate.clear()
    first = asyncio.create_task(found(cache, source))
    await turns(10)
    second = asyncio.create_task(found(cache, source))
    await turns(10)
    first.cancel()
    source.gate.set()
    assert await second is ALICE
    assert first.cancelled()
    assert source.asked == 1


async def test_a_failure_reaches_all_and_is_not_remembered(cache: Cache) -> None:
    source = Source(DirectoryAway("away"))
    source.gate.clear()
    asking = [asyncio.create_task(found(cache, source)) for _ in range(3)]
    await turns(10)
    source.gate.set()
    gathered = await asyncio.gather(*asking, return_exceptions=True)
    assert [type(each) for each in gathered] == [DirectoryAway] * 3
    source.answer = ALICE
    assert await found(cache, source) is ALICE


async def test_a_failure_that_nobody_waits_for_is_no_noise(cache: Cache) -> None:
    source = Source(DirectoryAway("away"))
    source.gate.clear()
    asking = asyncio.create_task(found(cache, source))
    await turns(10)
    asking.cancel()
    source.gate.set()
    await turns(10)
    assert cache.state()["under_way"] == 0


async def test_the_least_recently_used_goes_first(cache: Cache) -> None:
    source = Source()
    for name in "abc":
        await found(cache, source, ("account", name))
    await found(cache, source, ("account", "a"))
    await found(cache, source, ("account", "d"))
    assert len(cache) == 3
    assert cache.counts.evicted == 1
    asked = source.asked
    await found(cache, source, ("account", "a"))
    assert source.asked == asked
    await found(cache, source, ("account", "b"))
    assert source.asked == asked + 1


@pytest.mark.parametrize(
    "forget",
    [
        lambda cache: cache.drop("cn=alice", ()),
        lambda cache: cache.drop("cn=other", ("alice@example.org",)),
        lambda cache: cache.clear(),
    ],
)
async def test_forgetting(cache: Cache, forget: Callable[[Cache], None]) -> None:
    source = Source()
    await found(cache, source)
    await found(cache, source, ("recipient", "x"))
    forget(cache)
    await found(cache, source)
    assert source.asked == 3


async def test_an_answer_from_before_a_change_is_not_kept(cache: Cache) -> None:
    source = Source()
    source.gate.clear()
    asking = asyncio.create_task(found(cache, source))
    await turns(10)
    source.answer = None
    cache.drop("cn=alice", ("alice@example.org",))
    after = asyncio.create_task(found(cache, source))
    await turns(10)
    source.gate.set()
    assert await asking is ALICE
    assert await after is None
    assert source.asked == 2
    assert await found(cache, source) is None


async def test_proofs(cache: Cache) -> None:
    entry = await cache.get(KEY, Source())
    assert not cache.is_proven(entry, b"secret")
    cache.prove(entry, b"secret")
    assert cache.is_proven(entry, b"secret")
    assert not cache.is_proven(entry, b"other")
    assert b"secret" not in entry.proof
    other = await cache.get(("account", "x"), Source(Account("x", handle="cn=x")))
    other.proof = entry.proof
    assert not cache.is_proven(other, b"secret")
    another = Cache(SPEC, ManualClock())
    assert not another.is_proven(entry, b"secret")
