"""What a director knows: numbers over reloads, and the snapshot for a worker that starts."""

from dataclasses import replace
from pathlib import Path

import pytest

from l7lb.director.admin_state import AdminState
from l7lb.director.running import Running, room_for, worker_count
from l7lb.errors import ControlError
from l7lb.health.prober import Prober
from l7lb.health.resolve import Resolver
from l7lb.model import (
    Address,
    CheckKind,
    CheckSpec,
    ClusterSpec,
    DirectorSpec,
    Health,
    PoolSpec,
    ServerSpec,
    ServiceSpec,
)
from l7lb.pool.server import Admin, ServerUpdate
from l7lb.ports import ManualClock


def spec(*names: str) -> ClusterSpec:
    servers = tuple(ServerSpec(name, Address("192.0.2.1", 80), weight=3) for name in names)
    pool = PoolSpec("web", servers, check=CheckSpec(CheckKind.NONE))
    return ClusterSpec({"web": pool}, {"www": ServiceSpec("www", "http", (), ())})


@pytest.fixture
def running(tmp_path: Path) -> Running:
    made = Running(spec("a", "b"), AdminState(tmp_path, lambda: 0.0), ManualClock())
    made.take(made.spec, made.plan(made.spec))
    made.counters.set_live(1)
    return made


def test_a_plan_changes_nothing(running: Running) -> None:
    before = running.indices
    running.plan(spec("a", "c"))
    assert running.indices == before
    assert running.generation == 1


def test_numbers_stay_over_reloads_and_counts_too(running: Running) -> None:
    number = running.indices.servers["web", "b"]
    running.counters.add(number, 1)
    running.take(spec("b", "c"), running.plan(spec("b", "c")))
    assert running.generation == 2
    assert running.indices.servers["web", "b"] == number
    assert running.counters.active(number) == 1


def test_a_removed_server_with_sessions_keeps_its_number_from_others(running: Running) -> None:
    number = running.indices.servers["web", "a"]
    running.counters.add(number, 1)
    running.take(spec("b"), running.plan(spec("b")))
    clock = running.clock
    assert isinstance(clock, ManualClock)
    clock.advance(1e6)
    planned = running.plan(spec("b", *map(str, range(4094))))
    assert number not in {index for (_, name), index in planned.servers.items() if name != "b"}
    with pytest.raises(ControlError, match="more than 4096 servers") as caught:
        running.plan(spec("b", *map(str, range(4095))))
    assert caught.value.status == 409


def test_a_dead_workers_slot_is_released_also_for_servers_that_left(running: Running) -> None:
    number = running.indices.servers["web", "a"]
    running.counters.add(number, 1)
    running.take(spec("b"), running.plan(spec("b")))
    running.release_slot(0)
    assert running.counters.active(number) == 0


async def test_a_new_worker_hears_everything_that_is_not_in_the_file(running: Running) -> None:
    running.admin.set_admin(("web", "a"), Admin.DISABLED)
    running.ejected = {("web", "a"): 1e9, ("web", "b"): 1.0}
    prober = Prober(lambda event: None, running.clock)
    resolver = Resolver(lambda *_: None, running.clock)
    assert running.updates(prober, resolver) == (
        ("web", ServerUpdate("a", admin=Admin.DISABLED, weight=-1)),
        ("web", ServerUpdate("a", ejected_until=1e9)),
    )


def test_figures_join_file_and_administrator(running: Running) -> None:
    running.admin.set_weight(("web", "a"), 9)
    running.ejected = {("web", "b"): 1e9}
    found = running.figures({("web", "a"): Health.UP})
    assert (found["web", "a"].health, found["web", "a"].weight) == (Health.UP, 9)
    assert (found["web", "b"].health, found["web", "b"].weight) == (Health.UNKNOWN, 3)
    assert found["web", "b"].ejected
    assert not found["web", "a"].ejected


def test_ejections_and_words_of_servers_that_left_are_forgotten(running: Running) -> None:
    running.admin.set_weight(("web", "a"), 9)
    running.ejected = {("web", "a"): 1e9, ("web", "b"): 1e9}
    running.take(spec("b"), running.plan(spec("b")))
    running.forget_left()
    assert running.ejected == {("web", "b"): 1e9}
    assert running.admin.get(("web", "a")).weight is None


def test_room_is_twice_what_is_needed_and_never_small() -> None:
    assert room_for(spec("a")).servers == 4096
    assert room_for(spec(*map(str, range(5000)))).servers == 10_000
    many = replace(spec("a"), director=DirectorSpec(workers=100))
    assert worker_count(many) == 100
    assert room_for(many).workers == 200
    assert worker_count(spec("a")) >= 1
