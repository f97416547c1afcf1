"""Pools: limits, and waiting for a place."""

from collections import Counter

import pytest

from l7lb.errors import NoServer
from l7lb.model import (
    Address,
    Health,
    SchedulerKind,
    SchedulerSpec,
    ServerSpec,
)
from l7lb.pool.slot import Outcome
from l7lb.ports import LocalCounters
from l7lb_protocols.facts import PlainFacts
from support.pools import COOKIE, RR, apply, server_specs, story, visitor

UP, DOWN = Health.UP, Health.DOWN


def test_full_servers_are_passed_over_then_the_pool_is_full():
    told = story("a", "b", server={"max_connections": 2}, scheduler=RR)
    held = [told.take() for _ in range(4)]
    assert Counter(each.server.name for each in held) == {"a": 2, "b": 2}
    assert told.take() is None
    held[1].release(Outcome.OK)
    assert told.name() == held[1].server.name


def test_a_full_first_choice_gives_way_to_the_next():
    rendezvous = SchedulerSpec(SchedulerKind.RENDEZVOUS)
    told = story("a", "b", "c", server={"max_connections": 1}, scheduler=rendezvous)
    facts = PlainFacts(source="10.3.3.3")
    assert {told.take(facts).server.name for _ in range(3)} == {"a", "b", "c"}
    assert told.take(facts) is None


def test_sessions_of_other_workers_count():
    counters = LocalCounters()
    one, other = (story("a", server={"max_connections": 2}, counters=counters) for _ in range(2))
    one.take(), other.take()
    assert one.take() is None
    assert one.seen("active", "active_here") == {"a": (2, 1)}


def test_full_is_not_gone_for_a_retry():
    told = story("a", "b", server={"max_connections": 1})
    assert told.take(None, "b").server.name == "a"
    assert told.take(None, "b") is None


def test_a_full_backup_may_be_waited_for():
    told = story(
        servers=(
            *server_specs("a"),
            ServerSpec("z", Address("10.0.0.9", 80), backup=True, max_connections=1),
        )
    )
    assert told.take(None, "a").server.name == "z"
    assert told.take(None, "a") is None


def test_first_come_first_served():
    told = story("a", server={"max_connections": 1})
    held = told.take()
    served = []
    for n in range(3):
        told.pool.wait(PlainFacts(), lambda slot, n=n: served.append((n, slot)))
    assert served == []
    assert told.pool.view()["queue"] == 3
    held.release(Outcome.OK)
    assert [n for n, _ in served] == [0]
    served[0][1].release(Outcome.OK)
    served[1][1].release(Outcome.OK)
    assert [n for n, _ in served] == [0, 1, 2]
    assert told.pool.view()["queue"] == 0


def test_who_has_left_the_line_is_not_served():
    told = story("a", server={"max_connections": 1})
    held = told.take()
    ticket = told.pool.wait(PlainFacts(), lambda slot: pytest.fail("cancelled"))
    ticket.cancel()
    held.release(Outcome.OK)
    assert told.seen("active") == {"a": (0,)}


@pytest.mark.parametrize(("workers", "places"), [(1, 3), (2, 2)])
def test_the_line_is_bounded_for_all_workers(workers, places):
    told = story("a", max_queue=3, workers=workers)
    for _ in range(places):
        told.pool.wait(PlainFacts(), lambda slot: None)
    with pytest.raises(NoServer, match=f"{places} requests wait already"):
        told.pool.wait(PlainFacts(), lambda slot: None)


def test_places_that_other_workers_free_are_found_by_the_tick():
    counters = LocalCounters()
    one, other = (story("a", server={"max_connections": 1}, counters=counters) for _ in range(2))
    held, served = other.take(), []
    one.pool.wait(PlainFacts(), served.append)
    one.pool.tick()
    assert served == []
    held.release(Outcome.OK)
    one.pool.tick()
    assert len(served) == 1


def test_nobody_overtakes_those_who_wait():
    counters = LocalCounters()
    one, other = (story("a", server={"max_connections": 1}, counters=counters) for _ in range(2))
    held, served = other.take(), []
    one.pool.wait(PlainFacts(), served.append)
    held.release(Outcome.OK)
    assert one.take() is None
    assert len(served) == 1


def test_a_pinned_request_waits_for_its_server_and_holds_up_nobody():
    told = story("a", "b", server={"max_connections": 1}, persistence=COOKIE)
    on_a, on_b = told.take(visitor(told, "a")), told.take(visitor(told, "b"))
    assert told.take(visitor(told, "a")) is None
    served = []
    told.pool.wait(visitor(told, "a"), lambda slot: served.append(("pinned", slot.server.name)))
    told.pool.wait(PlainFacts(), lambda slot: served.append(("free", slot.server.name)))
    on_b.release(Outcome.OK)
    assert served == [("free", "b")]
    on_a.release(Outcome.OK)
    assert served == [("free", "b"), ("pinned", "a")]


def test_when_the_server_goes_down_its_waiters_go_elsewhere():
    told = story("a", "b", server={"max_connections": 1}, persistence=COOKIE)
    told.take(visitor(told, "a"))
    served = []
    told.pool.wait(visitor(told, "a"), served.append)
    apply(told, "a", health=DOWN)
    told.pool.tick()
    assert [slot.server.name for slot in served] == ["b"]
    assert served[0].set_cookie == told.server("b").cookie


@pytest.mark.parametrize("why", ["down", "excluded"])
def test_who_may_not_have_its_server_waits_for_any(why):
    told = story("a", "b", server={"max_connections": 1}, persistence=COOKIE)
    told.take(visitor(told, "a"))
    on_b = told.take(visitor(told, "b"))
    facts, served = visitor(told, "a"), []
    if why == "down":
        apply(told, "a", health=DOWN)
    told.pool.wait(facts, served.append, [told.server("a")] if why == "excluded" else ())
    on_b.release(Outcome.OK)
    assert [slot.server.name for slot in served] == ["b"]


def test_a_waiting_retry_does_not_go_back_nor_hold_up_others():
    told = story("a", "b", server={"max_connections": 1})
    on_a, on_b = told.take(None, "b"), told.take(None, "a")
    served = []
    told.pool.wait(PlainFacts(), lambda slot: served.append("retry"), [on_a.server])
    told.pool.wait(PlainFacts(), lambda slot: served.append("new"))
    on_a.release(Outcome.FAILED)
    assert served == ["new"]
    on_b.release(Outcome.OK)
    assert served == ["new", "retry"]


def test_who_waits_stays_when_nobody_is_usable_for_a_moment():
    told = story("a", server={"max_connections": 1}, panic_threshold=0.0)
    held, served = told.take(), []
    told.pool.wait(PlainFacts(), served.append)
    apply(told, "a", health=DOWN)
    held.release(Outcome.OK)
    told.pool.tick()
    assert served == []
    apply(told, "a", health=UP)
    told.pool.tick()
    assert len(served) == 1
