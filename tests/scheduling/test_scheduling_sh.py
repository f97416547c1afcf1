"""sh."""

from collections import Counter

from l7lb.scheduling.sh import SourceHash
from l7lb.scheduling.wlc import WeightedLeastConnections
from support.candidates import World, by_key, many, servers

KEYS = range(8000)


def build(candidates):
    inputs = World().inputs
    return SourceHash(candidates, inputs, WeightedLeastConnections(candidates, inputs))


def test_a_key_stays_with_its_server():
    assert by_key(build(servers(1, 1, 1)), KEYS) == by_key(build(servers(1, 1, 1)), KEYS)


def test_shares_follow_the_weights():
    seen = Counter(by_key(build(servers(3, 2, 1)), KEYS).values())
    for name, share in {"a": 4000, "b": 2667, "c": 1333}.items():
        assert abs(seen[name] - share) < 0.1 * share


def test_an_excluded_server_s_keys_go_elsewhere_and_only_those():
    candidates = servers(1, 1, 1)
    scheduler = build(candidates)
    for n, owner in by_key(scheduler, range(300)).items():
        chosen = scheduler.choose(b"key-%d" % n, [candidates[1]])
        assert chosen is not candidates[1]
        assert owner == "b" or chosen.name == owner
    assert scheduler.choose(b"x", candidates) is None


def test_each_of_many_servers_has_buckets():
    assert len(Counter(by_key(build(many(300)), range(20000)).values())) == 300


def test_without_a_key_the_least_loaded_gets_it():
    chosen = [build(servers(1)).choose(None), build([]).choose(None), build([]).choose(b"x")]
    assert [str(each) for each in chosen] == ["a", "None", "None"]


def test_new_weights_fill_the_table_anew():
    a, b = both = servers(1, 1)
    scheduler = build(both)
    a.full_weight = 3.0
    scheduler.reweigh()
    assert abs(Counter(by_key(scheduler, KEYS).values())["a"] - 6000) < 300
    assert b.full_weight == 1.0
