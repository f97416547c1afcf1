"""Pools: who gets which request."""

from collections import Counter

import pytest

from l7lb.errors import NoServer
from l7lb.model import (
    Address,
    Health,
    KeyKind,
    KeySpec,
    PersistenceKind,
    PersistenceSpec,
    PoolSpec,
    SchedulerKind,
    SchedulerSpec,
    ServerSpec,
)
from l7lb.pool.server import Admin
from l7lb.pool.slot import Outcome
from l7lb.ports import LocalCounters
from l7lb_protocols.facts import PlainFacts
from support.pools import COOKIE, LEARNED, RR, PoolStory, apply, server_specs, story, visitor

BY_ACCOUNT = PersistenceSpec(PersistenceKind.HASH, key=KeySpec(KeyKind.ACCOUNT))
UP, DOWN = Health.UP, Health.DOWN


# ------------------------------------------------------------------- selection


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
    told = story("a", "b", "c", scheduler=RR, panic_threshold=0.5)
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


# ------------------------------------------------------------------- slow start


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


# ------------------------------------------------------------------- drain and disable


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


# ------------------------------------------------------------------- persistence


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
