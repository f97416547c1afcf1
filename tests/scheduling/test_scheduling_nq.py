"""nq."""

from l7lb.scheduling.nq import NeverQueue
from support.candidates import World, held, names, servers


def test_an_idle_server_is_taken_however_light():
    world = World()
    # sed would give a the first nine
    assert held(NeverQueue(servers(9, 1, 1), world.inputs), world, 3) == "abc"


def test_when_none_is_idle_it_is_sed():
    world = World()
    world.open.update({0: 1, 1: 1})
    assert names(NeverQueue(servers(1, 3), world.inputs), 2) == "bb"


def test_an_excluded_server_is_not_taken_though_idle():
    both = servers(1, 1)
    world = World()
    scheduler = NeverQueue(both, world.inputs)
    world.open[1] = 4
    assert scheduler.choose(None, [both[0]]) is both[1]
    assert scheduler.choose(None, both) is None
