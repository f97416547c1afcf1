"""Bounded load."""

from collections import Counter
from math import ceil

from hypothesis import given
from hypothesis import strategies as st

from l7lb.scheduling.bounded import BoundedLoad
from l7lb.scheduling.mh import Maglev
from l7lb.scheduling.rendezvous import Rendezvous
from l7lb.scheduling.wlc import WeightedLeastConnections
from support.candidates import World, by_key, servers


def build(candidates, world, bound=1.25, hashed=Rendezvous):
    spare = WeightedLeastConnections(candidates, world.inputs)
    return BoundedLoad(hashed(candidates, world.inputs, spare), bound)


def hold(scheduler, world, keys):
    for key in keys:
        world.open[scheduler.choose(key).index] += 1


def test_one_hot_key_fills_no_server_beyond_the_bound():
    world = World()
    hold(build(servers(1, 1, 1, 1), world), world, [b"hot"] * 100)
    assert max(world.open.values()) == ceil(1.25 * 100 / 4)


def test_it_goes_on_in_the_order_of_the_hash():
    world = World()
    candidates = servers(1, 1, 1, 1)
    scheduler = build(candidates, world)
    order = [each.index for each in scheduler._hashed.walk(b"hot")]
    hold(scheduler, world, [b"hot"] * 100)
    assert sorted(world.open, key=lambda index: -world.open[index]) == order


def test_while_there_is_room_it_is_the_plain_hash():
    world = World()
    candidates = servers(1, 1, 1)
    spare = WeightedLeastConnections(candidates, world.inputs)
    plain = Rendezvous(candidates, world.inputs, spare)
    assert by_key(build(candidates, world), range(500)) == by_key(plain, range(500))


@given(
    st.lists(st.integers(1, 9), min_size=1, max_size=5),
    st.lists(st.integers(0, 5), min_size=1, max_size=60),
    st.floats(1.01, 3.0),
)
def test_nobody_is_ever_above_the_bound(weights, keys, bound):
    world = World()
    candidates = servers(*weights)
    scheduler = build(candidates, world, bound, Maglev)
    for total, key in enumerate(keys, 1):
        chosen = scheduler.choose(b"%d" % key)
        world.open[chosen.index] += 1
        assert world.open[chosen.index] <= ceil(bound * total * chosen.weight / sum(weights) + 1e-9)


def test_shares_follow_the_weights():
    world = World()
    candidates = servers(3, 1)
    hold(build(candidates, world, 1.05), world, [b"%d" % n for n in range(400)])
    assert abs(world.open[0] - 300) <= 20


def test_excluded_servers_are_walked_over_even_when_the_rest_is_full():
    world = World()
    a, b = both = servers(1, 1)
    scheduler = build(both, world)
    world.open[1] = 50
    assert scheduler.choose(b"x", [a]) is b
    assert scheduler.choose(b"x", both) is None


def test_without_a_key_the_least_loaded_gets_it():
    world = World()
    world.open[0] = 1
    scheduler = build(servers(1, 1), world)
    assert Counter(str(scheduler.choose(None)) for _ in range(5)) == {"b": 5}
    assert build([], world).choose(b"x") is None


def test_new_weights_move_the_bounds():
    world = World()
    a, _ = both = servers(1, 1)
    scheduler = build(both, world)
    a.full_weight = 9.0
    scheduler.reweigh()
    hold(scheduler, world, [b"%d" % n for n in range(200)])
    assert world.open[0] > 150
