"""Who serves mail, as the store has it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from l7lb.mail import roll
from l7lb.mail.roll import Member, Word, decode, member_of
from l7lb_storage import MemoryEngine, Store, World

ONE, OTHER = Member("d1:/var/lib/l7lb", "10.5.ab"), Member("d2:/a#b", "10.5.ab")
ALICE = "alice@example.org"


@pytest.fixture
async def store() -> AsyncIterator[Store]:
    engine = MemoryEngine(World())
    await engine.open()
    yield Store(engine)
    await engine.close()


async def test_members_come_and_go(store: Store) -> None:
    assert await roll.members(store) == []
    for member in (ONE, OTHER, ONE):
        await roll.enrol(store, member, lambda process: True)
    assert await roll.members(store) == [ONE, OTHER]
    item = await store.get(ONE.key)
    assert item is not None
    assert item.lease != 0  # goes by itself one day
    await roll.leave(store, ONE)
    assert await roll.members(store) == [OTHER]


async def test_whoever_comes_takes_the_dead_of_the_same_director_off(store: Store) -> None:
    dead, lives = Member(ONE.director, "9.1.ab"), Member(ONE.director, "8.1.ab")
    longer = Member(ONE.director + "2", "9.1.ab")
    for member in (dead, lives, longer, OTHER):
        await roll.enrol(store, member, lambda process: True)
    await roll.enrol(store, ONE, lambda process: process == lives.process)
    assert set(await roll.members(store)) == {ONE, lives, longer, OTHER}


async def test_more_than_a_page(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roll, "PAGE", 2)
    made = [Member("d", str(number)) for number in range(5)]
    for member in made:
        await roll.enrol(store, member, lambda process: True)
        await store.put(member.word_key(ALICE), Word(7).encode())
    assert await roll.members(store) == made
    assert set(await roll.words(store, ALICE)) == {str(member) for member in made}


async def test_words_are_of_one_account(store: Store) -> None:
    await store.put(ONE.word_key(ALICE), Word(3, 1, 2).encode())
    await store.put(ONE.word_key(ALICE + "/x"), Word(4).encode())
    await store.put(OTHER.word_key(ALICE), b"what another version wrote")
    found = await roll.words(store, ALICE)
    assert found[str(ONE)] == Word(3, 1, 2)
    assert str(OTHER) not in found


@pytest.mark.parametrize("value", [b"", b"{}", b"[1]", b'[1, "x", 0]', b"\xff", b"null"])
def test_what_is_no_word(value: bytes) -> None:
    assert decode(value) is None


@pytest.mark.parametrize("key", ["", "directors/", "directors/x", "elsewhere/a#b"])
def test_what_is_no_member(key: str) -> None:
    assert member_of(key) is None


def test_a_member_is_read_as_it_was_written() -> None:
    assert [member_of(each.key) for each in (ONE, OTHER)] == [ONE, OTHER]


def test_what_is_open_is_not_closed() -> None:
    assert Word(1).is_closed
    assert not Word(1, sessions=1).is_closed
    assert not Word(1, deliveries=1).is_closed
