"""dh: sh under another key."""

from collections import Counter

from l7lb.scheduling.dh import DestinationHash
from l7lb.scheduling.wlc import WeightedLeastConnections
from support.candidates import World, by_key, servers


def test_hosts_are_spread_and_stay():
    candidates = servers(1, 1)
    inputs = World().inputs
    scheduler = DestinationHash(candidates, inputs, WeightedLeastConnections(candidates, inputs))
    first = by_key(scheduler, range(2000))
    assert abs(Counter(first.values())["a"] - 1000) < 100
    assert by_key(scheduler, range(2000)) == first
