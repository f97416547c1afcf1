"""Pools: failures, reloads, and whatever else happens."""

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
    PersistenceKind,
    PersistenceSpec,
    PoolSpec,
    SchedulerKind,
    SchedulerSpec,
    ServerSpec,
)
from l7lb.model_failures import OutlierSpec, RetrySpec
from l7lb.pool.server import Admin
from l7lb.pool.slot import Outcome
from l7lb_protocols.facts import PlainFacts
from support.pools import COOKIE, LEARNED, RR, apply, server_specs, story, visitor

DOWN = Health.DOWN


# ------------------------------------------------------------------- failures


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


# ------------------------------------------------------------------- reconfiguration


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


# ------------------------------------------------------------------- whatever happens


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
