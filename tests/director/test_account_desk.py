"""The administrator's words about accounts, on a store in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from l7lb.director import account_desk
from l7lb.director.account_desk import AccountDesk
from l7lb.director.parts import Parts
from l7lb.errors import ControlError
from l7lb.mail.assignments import store_key
from l7lb.model import Address, ClusterSpec, PoolSpec, ServerSpec
from l7lb_storage import MemoryEngine, Store, World
from support.standing_parts import close_parts, standing_parts

SERVERS = tuple(ServerSpec(name, Address("192.0.2.1", 143)) for name in ("m1", "m2"))
SPEC = ClusterSpec({name: PoolSpec(name, SERVERS) for name in ("mail", "old")}, {})


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[Parts]:
    made = standing_parts(tmp_path, SPEC)
    yield made
    close_parts(made)


@pytest.fixture
async def store() -> AsyncIterator[Store]:
    engine = MemoryEngine(World())
    await engine.open()
    yield Store(engine, timeout_s=5.0)
    await engine.close()


@pytest.fixture
def desk(parts: Parts, store: Store) -> AccountDesk:
    return AccountDesk(parts, lambda: store)


async def test_a_move_makes_the_record_and_its_event(desk: AccountDesk, parts: Parts) -> None:
    row = await desk.move("Alice@Example.org", "mail", "m2", 0.0)
    assert row == {"account": "alice@example.org", "pool": "mail", "server": "m2", "held_s": 0.0}
    assert [event.name for event in parts.events.since(0, 10)] == ["account-moved"]
    assert await desk.where("", 10) == [row]


async def test_where_goes_through_all_pools_in_pages(
    desk: AccountDesk, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(account_desk, "PAGE", 2)
    for number in range(5):
        await desk.move(f"u{number}", "mail", "m1", 0.0)
    await desk.move("u0", "old", "m2", 0.0)
    await store.put(store_key("old", "u1"), b"of another version")
    found = await desk.where("", 100)
    assert [(row["pool"], row["account"]) for row in found] == [
        *(("mail", f"u{number}") for number in range(5)),
        ("old", "u0"),
    ]
    assert len(await desk.where("", 3)) == 3
    assert [row["account"] for row in await desk.where("u4", 10)] == ["u4"]


async def test_a_kick_reaches_every_pool(desk: AccountDesk) -> None:
    await desk.move("alice", "mail", "m1", 0.0)
    await desk.move("alice", "old", "m1", 0.0)
    assert [row["pool"] for row in await desk.kick("alice")] == ["mail", "old"]


@pytest.mark.parametrize(
    ("account", "pool", "server", "hold_s", "status"),
    [
        ("alice", "nail", "m1", 0.0, 404),
        ("alice", "mail", "m3", 0.0, 404),
        ("alice", "mail", "m1", -1.0, 400),
        ("alice", "mail", "m1", 1e9, 400),
        ("", "mail", "m1", 0.0, 400),
        ("a\nb", "mail", "m1", 0.0, 400),
    ],
)
async def test_what_cannot_be_done_is_refused(
    desk: AccountDesk, account: str, pool: str, server: str, hold_s: float, status: int
) -> None:
    with pytest.raises(ControlError) as refused:
        await desk.move(account, pool, server, hold_s)
    assert refused.value.status == status


async def test_nobody_to_kick(desk: AccountDesk) -> None:
    with pytest.raises(ControlError) as refused:
        await desk.kick("alice")
    assert refused.value.status == 404


async def test_a_store_that_is_away(desk: AccountDesk, store: Store) -> None:
    await store.engine.close()
    for asked in (desk.where("", 1), desk.kick("a"), desk.move("a", "mail", "m1")):
        with pytest.raises(ControlError) as refused:
            await asked
        assert refused.value.status == 503
