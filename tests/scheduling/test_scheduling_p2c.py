"""p2c by peak-EWMA latency."""

from collections import Counter

from l7lb.scheduling.p2c import PowerOfTwoChoices
from support.candidates import World, names, servers


def measured(world: World, *latencies: float):
    candidates = servers(*(1.0 for _ in latencies))
    for each, latency_s in zip(candidates, latencies, strict=True):
        each.latency.observe(latency_s, world.clock.now())
    return candidates


def test_equal_servers_get_equal_shares():
    world = World()
    seen = Counter(names(PowerOfTwoChoices(measured(world, 0.1, 0.1, 0.1), world.inputs), 3000))
    assert all(abs(seen[name] - 1000) < 120 for name in "abc")


def test_the_slowest_of_three_is_never_the_better_of_two():
    world = World()
    seen = Counter(names(PowerOfTwoChoices(measured(world, 0.1, 0.2, 0.3), world.inputs), 3000))
    assert seen["c"] == 0
    assert abs(seen["a"] - 2000) < 120


def test_sessions_count_as_latency_does():
    world = World()
    scheduler = PowerOfTwoChoices(measured(world, 0.1, 0.3), world.inputs)
    world.open[0] = 1
    assert names(scheduler, 5) == "aaaaa"
    world.open[0] = 3
    assert names(scheduler, 5) == "bbbbb"


def test_weights_divide_the_cost():
    world = World()
    scheduler = PowerOfTwoChoices(candidates := measured(world, 0.1, 0.2), world.inputs)
    candidates[1].weight = 3.0
    assert names(scheduler, 3) == "bbb"


def test_an_unmeasured_server_is_tried_once_at_a_time():
    world = World()
    candidates = measured(world, 0.1, 0.1)
    candidates += [servers(1, 1, 1)[2]]
    scheduler = PowerOfTwoChoices(candidates, world.inputs)
    assert "c" in names(scheduler, 20)
    world.open[2] = 1
    assert "c" not in names(scheduler, 50)


def test_a_slow_server_gets_another_chance_as_its_figure_fades():
    world = World()
    candidates = measured(world, 0.001, 1.0)
    scheduler = PowerOfTwoChoices(candidates, world.inputs)
    assert names(scheduler, 5) == "aaaaa"
    world.clock.advance(100)
    candidates[0].latency.observe(0.001, world.clock.now())
    assert names(scheduler, 5) == "bbbbb"


def test_two_different_servers_are_drawn():
    world = World(lambda: 0.0)
    candidates = measured(world, 0.5, 0.1, 0.1)
    assert names(PowerOfTwoChoices(candidates, world.inputs), 1) == "b"


def test_with_one_or_none_there_is_no_choice():
    world = World()
    candidates = servers(1, 1)
    scheduler = PowerOfTwoChoices(candidates, world.inputs)
    assert scheduler.choose(None, candidates[:1]) is candidates[1]
    assert scheduler.choose(None, candidates) is None
