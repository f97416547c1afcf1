"""rendezvous."""

from collections import Counter

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from l7lb.scheduling import rendezvous
from l7lb.scheduling.rendezvous import Rendezvous, draw
from l7lb.scheduling.wlc import WeightedLeastConnections
from support.candidates import World, by_key, many, servers

KEYS = range(10000)


def build(candidates):
    inputs = World().inputs
    return Rendezvous(candidates, inputs, WeightedLeastConnections(candidates, inputs))


def test_shares_follow_the_weights():
    seen = Counter(by_key(build(servers(5, 3, 2)), KEYS).values())
    for name, share in {"a": 5000, "b": 3000, "c": 2000}.items():
        assert abs(seen[name] - share) < 150


def test_only_the_keys_of_the_one_that_goes_move():
    full = many(8)
    before = by_key(build(full), KEYS)
    after = by_key(build(full[:-1]), KEYS)
    assert all(after[n] == name for n, name in before.items() if name != "server-7")
    moved = Counter(after[n] for n, name in before.items() if name == "server-7")
    assert len(moved) == 7


def test_only_keys_to_the_heavier_one_move():
    a, _, _ = all_three = servers(1, 1, 1)
    scheduler = build(all_three)
    before = by_key(scheduler, KEYS)
    a.full_weight = 2.0
    scheduler.reweigh()
    after = by_key(scheduler, KEYS)
    assert {after[n] for n in KEYS if after[n] != before[n]} == {"a"}


@given(st.binary(max_size=200))
@example(b"k" * 100)
def test_the_first_leads_the_walk(key: bytes):
    candidates = servers(1, 2, 3, 4)
    scheduler = build(candidates)
    walk = list(scheduler.walk(key))
    assert scheduler.choose(key) is walk[0]
    assert scheduler.choose(key) is walk[0]
    assert sorted(each.name for each in walk) == ["a", "b", "c", "d"]
    assert scheduler.choose(key, walk[:2]) is walk[2]
    assert scheduler.choose(key, walk) is None


def test_the_draw_is_the_same_for_ever():
    assert draw(b"anna@example.org", "m1", 1.0) == pytest.approx(1.9324596763838278, abs=1e-12)
    assert draw(b"key", "a", 2.0) == draw(b"key", "a", 1.0) / 2


def test_what_is_remembered_is_bounded(monkeypatch):
    monkeypatch.setattr(rendezvous, "REMEMBERED", 100)
    scheduler = build(servers(1, 1))
    by_key(scheduler, range(1000))
    scheduler.choose(b"x" * 5000)
    assert len(scheduler._answers) <= 100
    assert max(len(key) for key in scheduler._answers) <= rendezvous.LONG_KEY_BYTES


def test_of_none_there_is_none():
    assert build([]).choose(b"x") is None
    assert build([]).choose(None) is None
