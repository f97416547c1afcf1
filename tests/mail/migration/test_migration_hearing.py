"""A migration waits for every director's word, and goes on without one only when told so."""

from __future__ import annotations

import asyncio
import json

import pytest

from l7lb.errors import MigrationRefused
from l7lb.mail import roll
from l7lb.mail.migration.orders import Order
from l7lb.mail.migration.record import MARKS, RECORDS, Step, decoded
from l7lb.mail.roll import Member, Word
from support.mail_places import ALICE, MailCluster, held

TO_M2 = Order(ALICE, "m2")
ONE, OTHER = Member("d1:/var/lib/l7lb", "10.1.ab"), Member("d2:/var/lib/l7lb", "20.1.ab")
WAIT_S = 30.0


async def enrolled(cluster: MailCluster, *members: Member) -> None:
    for member in members:
        await roll.enrol(cluster.store, member, lambda process: True)


async def marked(cluster: MailCluster) -> int:
    """Wait for the mark; its revision."""
    async with asyncio.timeout(WAIT_S):
        while (item := await cluster.store.get(MARKS + ALICE)) is None:
            await asyncio.sleep(0.005)
    return item.revision


async def says(cluster: MailCluster, member: Member, word: Word) -> None:
    await cluster.store.put(member.word_key(ALICE), word.encode())


async def awaits(cluster: MailCluster, *names: str) -> None:
    async with asyncio.timeout(WAIT_S):
        while cluster.observer.names != [*names]:
            await asyncio.sleep(0.005)


async def is_copied(cluster: MailCluster) -> bool:
    item = await cluster.store.get(RECORDS + ALICE)
    assert item is not None
    return decoded(item.value).step is not Step.MOVING


async def test_it_waits_until_each_has_said_that_nothing_is_open(cluster: MailCluster) -> None:
    """To this mark: what was said to another does not count."""
    before = cluster.fill("m1")
    await enrolled(cluster, ONE, OTHER)
    await says(cluster, ONE, Word(1))
    running = asyncio.create_task(cluster.migration(close_timeout_s=WAIT_S).run(TO_M2))
    mark = await marked(cluster)
    await awaits(cluster, f"{ONE.director} has not answered", f"{OTHER.director} has not answered")
    await says(cluster, ONE, Word(mark))
    await says(cluster, OTHER, Word(mark, sessions=2, deliveries=1))
    await awaits(cluster, f"{OTHER.director} still has 2 sessions and 1 deliveries of it")
    assert not await is_copied(cluster)
    await says(cluster, OTHER, Word(mark))
    async with asyncio.timeout(WAIT_S):
        assert (await running).step is Step.DONE
    assert held(cluster.maildir("m2")) == before


async def test_without_a_word_it_stops_and_says_whose(cluster: MailCluster) -> None:
    """The account is open again, and the same command goes on."""
    before = cluster.fill("m1")
    await enrolled(cluster, ONE, OTHER)
    running = asyncio.create_task(cluster.migration(close_timeout_s=4.0).run(TO_M2))
    mark = await marked(cluster)
    await says(cluster, ONE, Word(mark))
    with pytest.raises(MigrationRefused, match=r"d2:/var/lib/l7lb has not answered\. One that is"):
        await running
    assert await cluster.store.get(MARKS + ALICE) is None
    assert await cluster.server() == "m1"
    assert held(cluster.maildir("m1")) == before
    await roll.leave(cluster.store, ONE)
    await roll.leave(cluster.store, OTHER)
    assert (await cluster.migration().run(Order(ALICE))).step is Step.DONE


@pytest.mark.parametrize("name", ["d2", OTHER.director])
async def test_who_is_ignored_is_not_waited_for(cluster: MailCluster, name: str) -> None:
    cluster.fill("m1")
    await enrolled(cluster, ONE, OTHER)
    options = {"close_timeout_s": WAIT_S, "ignored": (name, "d3")}
    running = asyncio.create_task(cluster.migration(**options).run(TO_M2))
    await says(cluster, ONE, Word(await marked(cluster)))
    async with asyncio.timeout(WAIT_S):
        assert (await running).step is Step.DONE
    assert await roll.members(cluster.store) == [ONE, OTHER]  # it may come back


async def test_whoever_joins_meanwhile_is_waited_for(cluster: MailCluster) -> None:
    cluster.fill("m1")
    await enrolled(cluster, ONE)
    running = asyncio.create_task(cluster.migration(close_timeout_s=WAIT_S).run(TO_M2))
    mark = await marked(cluster)
    await awaits(cluster, f"{ONE.director} has not answered")
    await enrolled(cluster, OTHER)
    await says(cluster, ONE, Word(mark))
    await awaits(cluster, f"{OTHER.director} has not answered")
    await roll.leave(cluster.store, OTHER)
    async with asyncio.timeout(WAIT_S):
        assert (await running).step is Step.DONE


async def test_an_account_that_was_open_meanwhile_is_not_switched(
    cluster: MailCluster,
) -> None:
    """The mark went while the copy was compared: somebody may have written since."""
    before = cluster.fill("m1")
    migration = cluster.migration()
    measured = cluster.observer.total

    def lost(count: int) -> None:
        measured(count)
        if cluster.observer.steps[-1:] == ["moving"]:
            asyncio.run_coroutine_threadsafe(unmark(), loop).result(WAIT_S)

    async def unmark() -> None:
        item = await cluster.store.get(MARKS + ALICE)
        assert item is not None
        assert json.loads(item.value)["holder"] == "migrator"
        await cluster.store.delete(MARKS + ALICE)

    loop = asyncio.get_running_loop()
    cluster.observer.total = lost  # type: ignore[method-assign]
    with pytest.raises(MigrationRefused, match="its mark is lost"):
        await migration.run(TO_M2)
    assert await cluster.server() == "m1"
    cluster.observer.total = measured  # type: ignore[method-assign]
    await cluster.migration().run(Order(ALICE))
    assert held(cluster.maildir("m2")) == before


async def test_to_take_back_needs_nobodys_word(cluster: MailCluster) -> None:
    before = cluster.fill("m1")
    await enrolled(cluster, ONE)
    with pytest.raises((MigrationRefused, TimeoutError)):
        await cluster.migration(close_timeout_s=0.1).run(TO_M2)
    await cluster.migration(close_timeout_s=WAIT_S).abort(ALICE)
    assert held(cluster.maildir("m1")) == before
