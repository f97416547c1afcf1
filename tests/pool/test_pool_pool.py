"""Pools: who gets which request."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from l7lb.errors import NoServer
from l7lb.model import (
    Address,
    Health,
    KeyKind,
    KeySpec,
    OutlierSpec,
    PersistenceKind,
    PersistenceSpec,
    PoolSpec,
    RetrySpec,
    SchedulerKind,
    SchedulerSpec,
    ServerSpec,
)
from l7lb.pool.server import Admin, ServerUpdate
from l7lb.pool.slot import Outcome
from l7lb.ports import LocalCounters
from l7lb_protocols.facts import PlainFacts
from support.pools import PoolStory, server_specs

RR = SchedulerSpec(SchedulerKind.RR)
COOKIE = PersistenceSpec(PersistenceKind.COOKIE, b"L7LB")
LEARNED = PersistenceSpec(PersistenceKind.LEARNED, b"sid", timeout_s=60.0)
BY_ACCOUNT = PersistenceSpec(PersistenceKind.HASH, key=KeySpec(KeyKind.ACCOUNT))
UP, DOWN = Health.UP, Health.DOWN


def story(*names, server=None, **options):
    workers = options.pop("workers", 1)
    counters = options.pop("counters", None)
    servers = options.pop("servers", None) or server_specs(*names, **(server or {}))
    return PoolStory(PoolSpec("web", servers, **options), workers, counters)


def apply(told, name, **changes):
    told.pool.apply(ServerUpdate(name, **changes))


def visitor(told, name):
    """Facts of a client whose cookie points to `name`."""
    value = told.server(name).cookie.split(b";")[0].removeprefix(b"L7LB=")
    return PlainFacts(cookies={b"L7LB": value})


# -------------------------------------------------------------------- selection


def test_the_default_spreads_evenly():
    assert story("a", "b", "c").shares(300) == {"a": 100, "b": 100, "c": 100}


def test_weights_of_the_file_and_of_the_administrator():
    told = story(servers=(*server_specs("a", weight=3), ServerSpec("b", Address("10.0.0.9", 80))))
    assert told.shares(40) == {"a": 30, "b": 10}
    apply(told, "b", weight=9)
    assert told.shares(120) == {"a": 30, "b": 90}
    apply(told, "a", weight=0)
    assert told.shares(10) == {"b": 10}
    apply(told, "a", weight=-1)
    apply(told, "b", weight=-1)
    assert told.shares(40) == {"a": 30, "b": 10}


def test_a_server_that_is_down_gets_nothing_and_comes_back():
    told = story("a", "b", scheduler=RR)
    apply(told, "a", health=DOWN)
    assert told.shares(10) == {"b": 10}
    assert told.seen("state", "usable") == {"a": ("down", False), "b": ("unknown", True)}
    apply(told, "a", health=UP)
    assert told.shares(10) == {"a": 5, "b": 5}


def test_nobody_usable_is_an_error():
    told = story("a", "b", panic_threshold=0.0)
    for name in "ab":
        apply(told, name, health=DOWN)
    with pytest.raises(NoServer, match="pool web: no server is usable"):
        told.take()
    with pytest.raises(NoServer, match="no server is usable"):
        story(servers=(), panic_threshold=0.5).take()


def test_panic_uses_them_all():
    told = story("a", "b", "c", scheduler=RR)
    apply(told, "a", health=DOWN)
    assert told.shares(10) == {"b": 5, "c": 5}
    apply(told, "b", health=DOWN)
    assert told.pool.view()["panic"] is True
    assert told.shares(9) == {"a": 3, "b": 3, "c": 3}


def test_a_backup_stands_in():
    told = story(
        servers=(*server_specs("a"), ServerSpec("z", Address("10.0.0.9", 80), backup=True))
    )
    assert told.shares(5) == {"a": 5}
    apply(told, "a", health=DOWN)
    assert told.shares(5) == {"z": 5}
    assert told.pool.view()["backup"] is True
    apply(told, "a", health=UP)
    assert told.shares(5) == {"a": 5}


def test_a_request_that_failed_everywhere_may_have_the_backup():
    told = story(
        servers=(*server_specs("a"), ServerSpec("z", Address("10.0.0.9", 80), backup=True))
    )
    assert told.name(None, "a") == "z"
    with pytest.raises(NoServer, match="every usable server has failed"):
        told.take(None, "a", "z")


def test_a_name_without_address_waits_for_the_resolver():
    told = story(servers=(ServerSpec("a", Address("app.example.org", 80)), *server_specs("b")))
    assert told.shares(4) == {"b": 4}
    apply(told, "a", endpoint=(2, ("10.7.7.7", 80)))
    assert told.shares(4) == {"a": 2, "b": 2}


def test_hashes_use_the_key_of_the_file():
    told = story("a", "b", "c", scheduler=SchedulerSpec(SchedulerKind.HASH, KeySpec(KeyKind.PATH)))
    owners = {n: told.name(PlainFacts(path=b"/%d" % n)) for n in range(60)}
    assert Counter(owners.values()).keys() == {"a", "b", "c"}
    assert all(told.name(PlainFacts(path=b"/%d" % n)) == owner for n, owner in owners.items())
    apply(told, "a", health=DOWN)
    after = {n: told.name(PlainFacts(path=b"/%d" % n)) for n in range(60)}
    assert all(after[n] == owner for n, owner in owners.items() if owner != "a")


@pytest.mark.parametrize("kind", SchedulerKind)
def test_every_scheduler_serves_a_pool(kind):
    told = story("a", "b", scheduler=SchedulerSpec(kind))
    facts = PlainFacts(source="10.1.1.1", host=b"h", path=b"/")
    first = told.name(facts)
    other = told.name(facts, first)
    assert {first, other} == {"a", "b"}


def test_p2c_learns_from_first_bytes():
    told = story("a", "b", scheduler=SchedulerSpec(SchedulerKind.P2C))
    for name, latency_s in (("a", 0.2), ("b", 0.1)):
        slot = told.take(None, *({"a", "b"} - {name}))
        told.clock.advance(latency_s)
        slot.first_byte()
        slot.release(Outcome.OK)
    assert told.shares(20) == {"b": 20}
    assert told.seen("latency_s")["b"] == (0.1,)


def test_pools_that_share_an_address_share_nothing_else():
    counters = LocalCounters()
    one = story("a", "b", counters=counters)
    other = PoolStory(PoolSpec("api", one.pool.spec.servers), counters=counters)
    apply(one, "a", health=DOWN)
    assert one.shares(4) == {"b": 4}
    assert other.shares(4) == {"a": 2, "b": 2}


# -------------------------------------------------------------------- slow start


def test_slow_start_after_an_outage():
    told = story("a", "b", slow_start_s=10.0)
    apply(told, "a", health=DOWN)
    apply(told, "a", health=UP)
    told.pool.tick()
    assert told.seen("effective_weight", "slow_start")["a"] == (0.1, True)
    assert told.shares(110)["a"] in (10, 11)
    told.later(5.0)
    assert told.seen("effective_weight")["a"] == (0.5,)
    assert told.shares(30)["a"] in (10, 11)
    told.later(5.0)
    assert told.seen("effective_weight", "slow_start")["a"] == (1.0, False)
    assert told.shares(10) == {"a": 5, "b": 5}


def test_no_slow_start_when_everything_starts():
    told = story("a", "b", slow_start_s=10.0)
    apply(told, "a", health=UP)
    assert told.seen("effective_weight")["a"] == (1.0,)


def test_a_server_that_joins_a_running_pool_starts_slowly():
    told = story("a", slow_start_s=10.0)
    spec = PoolSpec("web", server_specs("a", "b"), slow_start_s=10.0)
    told.pool.reconfigure(spec, told.indices(spec))
    assert told.seen("effective_weight") == {"a": (1.0,), "b": (0.1,)}


# -------------------------------------------------------------------- drain and disable


def test_drain_keeps_persistent_clients_until_the_deadline():
    told = story("a", "b", persistence=COOKIE, drain_deadline_s=60.0)
    facts = visitor(told, "a")
    apply(told, "a", admin=Admin.DRAIN)
    assert told.shares(10) == {"b": 10}
    assert told.name(facts) == "a"
    assert told.seen("state", "drain_left_s")["a"] == ("draining", 60.0)
    told.later(59.0)
    assert told.name(facts) == "a"
    told.later(1.0)
    assert told.name(facts) == "b"
    assert told.seen("state")["a"] == ("drained",)


def test_a_drain_may_bring_its_own_deadline():
    told = story("a", "b", persistence=COOKIE)
    facts = visitor(told, "a")
    apply(told, "a", admin=Admin.DRAIN, drain_until=told.clock.now() + 5)
    told.later(5.0)
    assert told.name(facts) == "b"


def test_disable_is_at_once():
    told = story("a", "b", persistence=COOKIE)
    facts = visitor(told, "a")
    apply(told, "a", admin=Admin.DISABLED)
    assert told.name(facts) == "b"
    apply(told, "a", admin=Admin.READY)
    assert told.name(facts) == "a"


def test_drain_of_the_last_server_leaves_nobody_for_new_clients():
    told = story("a", persistence=COOKIE)
    facts = visitor(told, "a")
    apply(told, "a", admin=Admin.DRAIN)
    assert told.name(facts) == "a"
    with pytest.raises(NoServer):
        told.take()


# -------------------------------------------------------------------- persistence


def test_a_cookie_is_set_once_and_then_followed():
    told = story("a", "b", persistence=COOKIE)
    slot = told.take()
    assert slot.set_cookie == slot.server.cookie
    assert slot.set_cookie.endswith(b"; Path=/; HttpOnly; SameSite=Lax")
    again = [told.take(visitor(told, slot.server.name)) for _ in range(5)]
    assert {each.server for each in again} == {slot.server}
    assert {each.set_cookie for each in again} == {b""}


def test_a_cookie_of_a_server_that_is_down_is_replaced():
    told = story("a", "b", persistence=COOKIE)
    facts = visitor(told, "a")
    apply(told, "a", health=DOWN)
    slot = told.take(facts)
    assert (slot.server.name, slot.set_cookie) == ("b", told.server("b").cookie)


def test_a_request_that_failed_on_its_server_is_pinned_to_the_next():
    told = story("a", "b", persistence=COOKIE)
    slot = told.take(visitor(told, "a"), "a")
    assert (slot.server.name, slot.set_cookie) == ("b", told.server("b").cookie)


def test_weight_0_keeps_persistent_clients():
    told = story("a", "b", persistence=COOKIE)
    apply(told, "a", weight=0)
    assert told.name(visitor(told, "a")) == "a"
    assert told.shares(5) == {"b": 5}


def test_directors_agree_on_cookies():
    one, other = (story("a", "b", "c", persistence=COOKIE) for _ in range(2))
    assert all(one.name(visitor(other, name)) == name for name in "abc")


def test_learned_cookies():
    told = story("a", "b", "c", persistence=LEARNED)
    assert told.pool.learns == b"sid"
    heard = []
    told.pool.on_learn = lambda value, name: heard.append((value, name))
    slot = told.take()
    assert slot.set_cookie == b""
    slot.learn(b"s1")
    slot.learn(b"s1")
    facts = PlainFacts(cookies={b"sid": b"s1"})
    assert told.shares(6, facts) == {slot.server.name: 6}
    assert heard == [(b"s1", slot.server.name)]
    assert told.pool.view()["pins"] == 1
    slot.release(Outcome.OK)
    told.later(61.0)
    assert len(told.shares(6, facts)) == 3


def test_what_another_worker_learnt_is_not_told_again():
    told = story("a", "b", persistence=LEARNED)
    told.pool.on_learn = lambda value, name: pytest.fail("an echo")
    told.pool.remember(b"s1", "b")
    assert told.shares(5, PlainFacts(cookies={b"sid": b"s1"})) == {"b": 5}
    plain = story("a")
    plain.pool.remember(b"s1", "a")
    plain.take().learn(b"s1")
    assert plain.pool.learns == b""


def test_hash_persistence_follows_the_key_and_falls_to_the_scheduler():
    told = story("a", "b", "c", persistence=BY_ACCOUNT)
    facts = PlainFacts(account=b"anna@example.org")
    owner = told.name(facts)
    assert told.shares(9, facts) == {owner: 9}
    assert told.shares(9) == {"a": 3, "b": 3, "c": 3}
    apply(told, owner, admin=Admin.DRAIN)
    assert told.name(facts) == owner
    apply(told, owner, health=DOWN)
    assert told.name(facts) != owner


# -------------------------------------------------------------------- limits and waiting


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


# -------------------------------------------------------------------- failures


def test_failed_connects_eject_and_time_brings_back():
    told = story("a", "b", outlier=OutlierSpec(consecutive_connect_errors=2, ejection_s=10.0))
    heard = []
    told.pool.on_outlier = lambda server, until_s: heard.append((server.name, until_s))
    told.fail("a", Outcome.CONNECT_FAILED)
    assert told.seen("state", "errors_in_a_row")["a"] == ("unknown", 1)
    told.fail("a", Outcome.CONNECT_FAILED)
    assert told.seen("state", "ejected_for_s", "usable")["a"] == ("ejected", 10.0, False)
    assert heard == [("a", told.clock.now() + 10.0)]
    assert told.shares(4) == {"b": 4}
    told.later(10.0)
    assert told.shares(4) == {"a": 2, "b": 2}


def test_a_success_in_between_starts_the_count_anew():
    told = story("a", "b", outlier=OutlierSpec(consecutive_errors=3))
    for outcome in (Outcome.FAILED, Outcome.TIMEOUT, Outcome.OK, Outcome.FAILED, Outcome.FAILED):
        told.fail("a", outcome)
    assert told.seen("state")["a"] == ("unknown",)
    told.fail("a", Outcome.CANCELLED)
    assert told.seen("errors_in_a_row")["a"] == (2,)
    told.fail("a", Outcome.TIMEOUT)
    assert told.seen("state")["a"] == ("ejected",)


def test_not_everybody_is_ejected():
    told = story("a", "b", outlier=OutlierSpec(consecutive_connect_errors=1, max_ejected=0.5))
    told.fail("a", Outcome.CONNECT_FAILED)
    told.fail("b", Outcome.CONNECT_FAILED)
    assert told.seen("state") == {"a": ("ejected",), "b": ("unknown",)}


def test_errors_while_ejected_do_not_count():
    told = story("a", "b", outlier=OutlierSpec(consecutive_errors=1, consecutive_connect_errors=0))
    one, two = told.take(None, "b"), told.take(None, "b")
    one.release(Outcome.FAILED)
    two.release(Outcome.FAILED)
    assert told.seen("ejected_for_s", "errors_in_a_row")["a"] == (10.0, 0)


def test_another_worker_s_ejection_is_mirrored_without_an_echo():
    told = story("a", "b")
    told.pool.on_outlier = lambda server, until_s: pytest.fail("an echo")
    apply(told, "a", ejected_until=told.clock.now() + 7)
    assert told.shares(4) == {"b": 4}
    apply(told, "a", ejected_until=0.0)
    assert told.shares(4) == {"a": 2, "b": 2}


def test_slow_servers_are_ejected():
    told = story("a", "b", "c", outlier=OutlierSpec(latency_factor=3.0), scheduler=RR)
    for _ in range(30):
        slot = told.take()
        told.clock.advance(0.1 if slot.server.name == "c" else 0.01)
        slot.first_byte()
        slot.release(Outcome.OK)
    told.later(5.0)
    assert told.seen("state") == {"a": ("unknown",), "b": ("unknown",), "c": ("ejected",)}


def test_the_retry_budget():
    told = story("a", retry=RetrySpec(budget=0.5, minimum=1))
    for _ in range(4):
        told.pool.count_request()
    assert [told.pool.retry_allowed() for _ in range(4)] == [True, True, True, False]
    assert told.pool.retry_allowed(RetrySpec(budget=1.0, minimum=0))
    view = told.pool.view()
    assert (view["requests_10s"], view["retries_10s"], view["retries_refused"]) == (4, 4, 1)
    told.later(10.0)
    assert told.pool.view()["retries_10s"] == 0


# -------------------------------------------------------------------- reconfiguration


def test_a_reload_keeps_what_did_not_change():
    told = story("a", "b", "c", persistence=LEARNED, server={"weight": 2})
    a, b, c = told.pool.servers
    apply(told, "a", health=DOWN, weight=5)
    apply(told, "b", admin=Admin.DRAIN)
    held = told.take()
    held.learn(b"s1")
    spec = PoolSpec("web", (*server_specs("a", "b"), ServerSpec("n", Address("10.0.0.9", 80))))
    spec = PoolSpec("web", spec.servers, persistence=LEARNED)
    gone = told.pool.reconfigure(spec, {"a": 0, "b": 1, "n": 7})
    assert gone == [c]
    assert c.removed
    assert told.pool.servers[:2] == [a, b]
    assert told.seen("state", "weight", "weight_override") == {
        "a": ("down", 1, 5),
        "b": ("draining", 1, None),
        "n": ("unknown", 1, None),
    }
    assert told.pool.view()["pins"] == 1
    assert told.counters.active(2) == 1
    held.release(Outcome.OK)
    assert told.counters.active(2) == 0
    assert told.name(PlainFacts(cookies={b"sid": b"s1"})) != "c"


def test_another_address_is_another_server():
    told = story("a", "b")
    apply(told, "a", health=DOWN)
    spec = PoolSpec("web", (ServerSpec("a", Address("10.9.9.9", 80)), told.server("b").spec))
    gone = told.pool.reconfigure(spec, {"a": 5, "b": 1})
    assert [each.health for each in gone] == [DOWN]
    assert told.seen("state", "endpoint")["a"] == ("unknown", "10.9.9.9:80")


def test_the_scheduler_goes_on_where_it_was():
    told = story("a", "b", "c", scheduler=RR)
    first = told.name()
    told.pool.reconfigure(told.pool.spec, told.indices(told.pool.spec))
    assert len({first, told.name(), told.name()}) == 3


def test_another_scheduler_takes_over():
    told = story("a", "b", scheduler=RR)
    path = SchedulerSpec(SchedulerKind.HASH, KeySpec(KeyKind.PATH))
    spec = PoolSpec("web", told.pool.spec.servers, scheduler=path)
    told.pool.reconfigure(spec, told.indices(spec))
    assert len(told.shares(10, PlainFacts(path=b"/x"))) == 1


def test_persistence_can_come_change_and_go():
    told = story("a", "b")
    for persistence, cookie in (
        (COOKIE, b"L7LB"),
        (PersistenceSpec(PersistenceKind.COOKIE, b"OTHER"), b"OTHER"),
        (None, b""),
    ):
        spec = PoolSpec("web", told.pool.spec.servers, persistence=persistence)
        told.pool.reconfigure(spec, told.indices(spec))
        assert told.take().set_cookie.split(b"=")[0] == cookie


def test_a_new_index_takes_the_open_sessions_along():
    told = story("a", server={"max_connections": 1})
    held = told.take()
    told.pool.reconfigure(told.pool.spec, {"a": 40})
    assert (told.counters.active(0), told.counters.active(40)) == (0, 1)
    assert told.take() is None
    held.release(Outcome.OK)
    assert told.counters.active(40) == 0


def test_new_limits_and_budgets_count_at_once():
    told = story("a")
    spec = PoolSpec("web", server_specs("a", max_connections=1), retry=RetrySpec(0, 0.0, 0))
    told.pool.reconfigure(spec, told.indices(spec))
    told.take()
    assert told.take() is None
    assert not told.pool.retry_allowed()


def test_an_update_for_nobody_is_an_error():
    with pytest.raises(KeyError):
        apply(story("a"), "x", weight=1)


# -------------------------------------------------------------------- whatever happens


class AnyLife(RuleBasedStateMachine):
    """Takes, releases, updates and reloads in any order."""

    def __init__(self):
        super().__init__()
        self.told = story(
            *"abc", persistence=COOKIE, server={"max_connections": 3}, slow_start_s=5.0
        )
        self.held = []
        self.waiting = []

    @property
    def pool(self):
        return self.told.pool

    @rule(exclude=st.sets(st.sampled_from("abc"), max_size=2), pin=st.sampled_from(["", *"abc"]))
    def take(self, exclude, pin):
        facts = visitor(self.told, pin) if pin else PlainFacts()
        try:
            slot = self.told.take(facts, *exclude)
        except NoServer:
            return
        if slot is None:
            return
        self.held.append(slot)
        server = slot.server
        assert server.name not in exclude
        assert server.admin is not Admin.DISABLED
        if server.admin is Admin.DRAIN:
            assert server.name == pin
            assert server.drain_until > self.told.clock.now()

    @rule()
    def wait(self):
        self.waiting.append(self.pool.wait(PlainFacts(), self.held.append))

    @precondition(lambda self: self.waiting)
    @rule()
    def leave(self):
        self.waiting.pop().cancel()

    @precondition(lambda self: self.held)
    @rule(outcome=st.sampled_from(Outcome), place=st.integers(0, 99))
    def release(self, outcome, place):
        slot = self.held.pop(place % len(self.held))
        slot.release(outcome)
        slot.release(outcome)

    @rule(
        name=st.sampled_from("abc"),
        health=st.none() | st.sampled_from(Health),
        admin=st.none() | st.sampled_from(Admin),
        weight=st.none() | st.integers(-1, 3),
    )
    def update(self, name, health, admin, weight):
        apply(self.told, name, health=health, admin=admin, weight=weight)

    @rule(seconds=st.sampled_from([0.0, 0.1, 1.0, 20.0, 4000.0]))
    def later(self, seconds):
        self.told.later(seconds)

    @rule(first=st.integers(0, 50))
    def reload(self, first):
        indices = {name: first + n for n, name in enumerate("abc")}
        assert self.pool.reconfigure(self.pool.spec, indices) == []

    @invariant()
    def no_slot_leaks(self):
        held = Counter(slot.server.name for slot in self.held)
        for server in self.pool.servers:
            assert server.sessions == held[server.name]
            assert self.told.counters.active(server.index) == held[server.name]
            assert held[server.name] <= 3
        assert self.pool.line.length == sum(each.is_waiting for each in self.waiting)

    @invariant()
    def looking_changes_nothing(self):
        before = self.pool.view()
        self.pool.explain(visitor(self.told, "a"))
        assert self.pool.view() == before


TestAnyLife = AnyLife.TestCase
TestAnyLife.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


@given(st.lists(st.sampled_from("abc"), max_size=3), st.sampled_from(SchedulerKind))
def test_the_excluded_are_never_chosen(exclude, kind):
    told = story("a", "b", "c", scheduler=SchedulerSpec(kind))
    facts = PlainFacts(source="10.2.3.4", host=b"h")
    if len(set(exclude)) == 3:
        with pytest.raises(NoServer):
            told.take(facts, *exclude)
    else:
        assert told.name(facts, *exclude) not in exclude
