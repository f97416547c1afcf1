"""mh."""

from collections import Counter
from dataclasses import replace

import pytest

from l7lb.scheduling.mh import Maglev, table_size
from l7lb.scheduling.wlc import WeightedLeastConnections
from support.candidates import FakeServer, World, by_key, many, servers

KEYS = range(10000)


def build(candidates, members=0):
    inputs = replace(World().inputs, members=members)
    return Maglev(candidates, inputs, WeightedLeastConnections(candidates, inputs))


@pytest.mark.parametrize(
    ("members", "size"), [(0, 4093), (40, 4093), (41, 16381), (200, 65537), (5000, 65537)]
)
def test_the_table_is_a_hundred_times_the_servers(members, size):
    assert table_size(members) == size


def test_entries_are_even():
    scheduler = build(many(10))
    entries = Counter(each.name for each in scheduler._table)
    assert sum(entries.values()) == 4093
    assert max(entries.values()) - min(entries.values()) <= 1


def test_entries_follow_the_weights():
    entries = Counter(each.name for each in build(servers(5, 3, 0.5))._table)
    for name, share in {"a": 5 / 8.5, "b": 3 / 8.5, "c": 0.5 / 8.5}.items():
        assert abs(entries[name] - share * 4093) < 0.01 * 4093


def test_few_keys_move_when_a_server_goes():
    full = many(10)
    before = by_key(build(full, members=10), KEYS)
    after = by_key(build(full[:3] + full[4:], members=10), KEYS)
    others = {n: name for n, name in before.items() if name != "server-3"}
    moved = sum(after[n] != name for n, name in others.items())
    assert moved < 0.1 * len(others)
    assert "server-3" not in after.values()


def test_the_order_of_the_file_does_not_count():
    assert by_key(build(many(5)), KEYS) == by_key(build(many(5)[::-1]), KEYS)


def test_another_address_book_gives_the_same_answer():
    renumbered = [FakeServer(each.name, 99 - each.index) for each in many(5)]
    assert by_key(build(renumbered), KEYS) == by_key(build(many(5)), KEYS)


def test_the_table_is_the_same_for_ever():
    chosen = by_key(build(servers(1, 1, 1)), range(16))
    assert "".join(chosen.values()) == "ccaaaabbcbccbacc"


def test_excluded_servers_are_walked_over():
    candidates = servers(1, 1, 1)
    scheduler = build(candidates)
    assert {scheduler.choose(b"k%d" % n, candidates[:2]).name for n in range(50)} == {"c"}
    assert scheduler.choose(b"k", candidates) is None


def test_slow_start_leaves_the_table_alone():
    a, _ = both = servers(1, 1)
    scheduler = build(both)
    table = scheduler._table
    a.weight = 0.1
    scheduler.reweigh()
    assert scheduler._table is table
    a.full_weight = 2.0
    scheduler.reweigh()
    assert scheduler._table is not table


def test_of_none_there_is_none():
    assert build([]).choose(b"x") is None
