"""What an administrator does to a server, in a director whose other parts stand still."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from l7lb.director.administration import WEIGHT_LIMIT, Administration, near
from l7lb.director.messages import Update
from l7lb.director.parts import Parts
from l7lb.errors import ControlError
from l7lb.model import Address, ClusterSpec, PoolSpec, ServerSpec
from l7lb.pool.server import Admin, ServerUpdate
from support.standing_parts import ToldCrew, close_parts, standing_parts

SERVERS = tuple(ServerSpec(name, Address("192.0.2.1", 80)) for name in ("alpha", "beta"))
SPEC = ClusterSpec({"web": PoolSpec("web", SERVERS, drain_deadline_s=100.0)}, {})


@pytest.fixture
async def parts(tmp_path: Path) -> AsyncIterator[Parts]:
    made = standing_parts(tmp_path, SPEC)
    yield made
    close_parts(made)


def told(parts: Parts) -> ServerUpdate:
    assert isinstance(parts.crew, ToldCrew)
    last = parts.crew.told[-1]
    assert isinstance(last, Update)
    assert last.pool == "web"
    return last.update


async def test_a_drain_without_deadline_takes_the_pools(parts: Parts) -> None:
    answer = Administration(parts).drain("web", "alpha")
    update = told(parts)
    assert (update.name, update.admin) == ("alpha", Admin.DRAIN)
    assert update.drain_until == pytest.approx(600.0, abs=1.0)
    assert answer["admin"] == "drain"
    assert parts.events.since()[-1].name == "admin-set"


async def test_enable_keeps_a_weight_that_was_set(parts: Parts) -> None:
    desk = Administration(parts)
    desk.weigh("web", "beta", 0)
    desk.disable("web", "beta")
    assert (told(parts).admin, told(parts).weight) == (Admin.DISABLED, 0)
    desk.enable("web", "beta")
    assert (told(parts).admin, told(parts).weight) == (Admin.READY, 0)
    assert desk.weigh("web", "beta", None)["weight"] is None
    assert told(parts).weight == -1


@pytest.mark.parametrize("deadline_s", [-0.1, float("inf"), float("nan"), 1e12])
async def test_deadlines_out_of_range(parts: Parts, deadline_s: float) -> None:
    with pytest.raises(ControlError) as caught:
        Administration(parts).drain("web", "alpha", deadline_s)
    assert caught.value.status == 400


@pytest.mark.parametrize("weight", [-1, WEIGHT_LIMIT + 1])
async def test_weights_out_of_range(parts: Parts, weight: int) -> None:
    with pytest.raises(ControlError) as caught:
        Administration(parts).weigh("web", "alpha", weight)
    assert caught.value.status == 400


async def test_unknown_names_get_the_near_ones(parts: Parts) -> None:
    desk = Administration(parts)
    with pytest.raises(ControlError, match=r"no pool 'wep'; did you mean web\?") as caught:
        desk.enable("wep", "alpha")
    assert caught.value.status == 404
    with pytest.raises(ControlError, match=r"did you mean alpha\?"):
        desk.enable("web", "alpa")


async def test_what_cannot_be_written_is_neither_told_nor_so(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("l7lb.director.admin_state.write_atomically", full)
    with pytest.raises(ControlError, match="No space left") as caught:
        Administration(parts).disable("web", "alpha")
    assert caught.value.status == 500
    assert isinstance(parts.crew, ToldCrew)
    assert parts.crew.told == []
    assert parts.running.admin.get(("web", "alpha")).admin is Admin.READY


async def test_nothing_of_this_waits(parts: Parts) -> None:
    """A reload between two words of an administrator sees both or none."""
    before = asyncio.all_tasks()
    Administration(parts).disable("web", "alpha")
    assert asyncio.all_tasks() == before


@pytest.mark.parametrize(
    ("name", "known", "said"),
    [
        ("x", [], "; there are none"),
        ("zzz", ["a", "b"], "; there are a, b"),
        ("zzz", list("abcdefghij"), "; there are a, b, c, d, e, f, g, h, …"),
        ("web", ["web1", "web2"], "; did you mean web2 or web1?"),
    ],
)
def test_near_names(name: str, known: list[str], said: str) -> None:
    assert near(name, known) == said
