"""The order in which a password is checked: remembered, compared or bound, doubted once."""

from __future__ import annotations

import asyncio

import argon2
import pytest

from l7lb.accounts import Account, Outcome, Status
from l7lb.directory.cache import Cache, Entry
from l7lb.directory.threads import Threads
from l7lb.directory.verifier import Verifier
from l7lb.errors import DirectoryAway
from l7lb.model_directory import CacheSpec, PasswordCheck
from l7lb.ports import ManualClock

CHEAP = argon2.PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)


def hashed(password: str) -> tuple[bytes, ...]:
    return (b"{ARGON2}" + CHEAP.hash(password).encode(),)


OLD = Account("alice", passwords=hashed("old-secret"), handle="cn=alice")
NEW = Account("alice", passwords=hashed("new-secret"), handle="cn=alice")


class Setup:
    """A directory with one account, counting what it is asked."""

    def __init__(self, clock: ManualClock, check: PasswordCheck = PasswordCheck.AUTO) -> None:
        self.clock = clock
        self.answer: Account | Exception | None = OLD
        self.searched = 0
        self.bound: list[tuple[str, bytes]] = []
        self.right = b"old-secret"
        self.cache = Cache(CacheSpec(), clock)
        self.verifier = Verifier(self.cache, Threads("test", 2, 2), check, 10.0, self.bind)

    async def bind(self, account: Account, password: bytes) -> bool:
        self.bound.append((account.handle, password))
        now = self.answer.handle if isinstance(self.answer, Account) else account.handle
        return (account.handle, password) == (now, self.right)

    async def fetch(self) -> Account | None:
        self.searched += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    async def look(self, fresh: bool) -> Entry:
        ask = self.cache.fetched if fresh else self.cache.get
        return await ask(("account", "alice"), self.fetch)

    async def outcome(self, password: bytes) -> Outcome:
        return (await self.verifier.verify(self.look, password)).outcome


@pytest.fixture
def setup(clock: ManualClock) -> Setup:
    return Setup(clock)


async def test_compared(setup: Setup) -> None:
    assert await setup.outcome(b"old-secret") is Outcome.OK
    assert await setup.outcome(b"old-secret") is Outcome.OK
    assert (setup.searched, setup.bound) == (1, [])


async def test_a_wrong_password_costs_one_look_up_and_not_one_for_each_guess(setup: Setup) -> None:
    assert await setup.outcome(b"old-secret") is Outcome.OK
    setup.clock.advance(10)
    for number in range(5):
        assert await setup.outcome(b"guess-%d" % number) is Outcome.WRONG
    assert setup.searched == 2
    assert await setup.outcome(b"old-secret") is Outcome.OK
    setup.clock.advance(10)
    assert await setup.outcome(b"guess") is Outcome.WRONG
    assert setup.searched == 3


async def test_a_wrong_password_for_a_young_answer_costs_none(setup: Setup) -> None:
    assert await setup.outcome(b"guess") is Outcome.WRONG
    assert setup.searched == 1


async def test_a_password_that_was_changed_holds_at_once(setup: Setup) -> None:
    assert await setup.outcome(b"old-secret") is Outcome.OK
    setup.answer = NEW
    setup.clock.advance(10)
    assert await setup.outcome(b"new-secret") is Outcome.OK
    assert await setup.outcome(b"old-secret") is Outcome.WRONG
    assert setup.searched == 2


async def test_an_account_that_was_deleted(setup: Setup) -> None:
    assert await setup.outcome(b"old-secret") is Outcome.OK
    setup.answer = None
    setup.clock.advance(10)
    assert await setup.outcome(b"guess") is Outcome.UNKNOWN


async def test_bound_where_no_hash_is_shown(setup: Setup) -> None:
    setup.answer = Account("alice", handle="cn=alice")
    assert await setup.outcome(b"old-secret") is Outcome.OK
    assert await setup.outcome(b"old-secret") is Outcome.OK
    assert await setup.outcome(b"guess") is Outcome.WRONG
    assert setup.bound == [("cn=alice", b"old-secret"), ("cn=alice", b"guess")]


@pytest.mark.parametrize(
    ("check", "binds", "outcome"),
    [
        (PasswordCheck.BIND, 1, Outcome.OK),
        (PasswordCheck.COMPARE, 0, Outcome.OK),
        (PasswordCheck.AUTO, 0, Outcome.OK),
    ],
)
async def test_ways(clock: ManualClock, check: PasswordCheck, binds: int, outcome: Outcome) -> None:
    setup = Setup(clock, check)
    assert await setup.outcome(b"old-secret") is outcome
    assert len(setup.bound) == binds


async def test_an_unknown_scheme_is_bound(setup: Setup) -> None:
    setup.answer = Account("alice", passwords=(b"{SASL}alice",), handle="cn=alice")
    assert await setup.outcome(b"old-secret") is Outcome.OK
    assert len(setup.bound) == 1


async def test_an_account_that_moved_is_bound_under_its_new_name(clock: ManualClock) -> None:
    setup = Setup(clock, PasswordCheck.BIND)
    assert await setup.outcome(b"old-secret") is Outcome.OK
    setup.answer = Account("alice", handle="cn=alice,ou=new")
    setup.right = b"new-secret"
    clock.advance(10)
    assert await setup.outcome(b"new-secret") is Outcome.OK
    assert setup.bound[-1][0] == "cn=alice,ou=new"


@pytest.mark.parametrize("password", [b"", b"x" * 1025])
async def test_what_is_no_password_is_not_asked_about(setup: Setup, password: bytes) -> None:
    setup.answer = Account("alice", handle="cn=alice")
    setup.right = password
    assert await setup.outcome(password) is Outcome.WRONG
    assert setup.bound == []


async def test_disabled_only_for_who_knows_the_password(setup: Setup) -> None:
    setup.answer = Account("alice", passwords=OLD.passwords, status=Status.DISABLED)
    assert await setup.outcome(b"guess-1") is Outcome.WRONG
    assert await setup.outcome(b"old-secret") is Outcome.DISABLED
    assert await setup.outcome(b"old-secret") is Outcome.DISABLED


async def test_while_the_directory_is_away_a_known_password_still_holds(clock: ManualClock) -> None:
    setup = Setup(clock, PasswordCheck.BIND)
    assert await setup.outcome(b"old-secret") is Outcome.OK
    setup.answer = DirectoryAway("away")
    clock.advance(3600)
    assert await setup.outcome(b"old-secret") is Outcome.OK
    assert len(setup.bound) == 1


async def test_an_unknown_account(setup: Setup) -> None:
    setup.answer = None
    verdict = await setup.verifier.verify(setup.look, b"x")
    assert (verdict.outcome, verdict.account) == (Outcome.UNKNOWN, None)


async def test_many_at_once(setup: Setup) -> None:
    setup.verifier.threads._queue = 100
    found = await asyncio.gather(*(setup.outcome(b"old-secret") for _ in range(20)))
    assert set(found) == {Outcome.OK}
    assert setup.searched == 1
