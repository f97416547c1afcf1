"""Rests: none when there is nothing, long ones for a trickle, short ones for a flood."""

from types import ModuleType

import pytest

from l7lb.media.relay import packets
from support.twins import plain_twin

FEW, MANY, REST_S = packets.FEW, packets.MANY, packets.REST_S


@pytest.fixture(params=[packets, plain_twin(packets)], ids=["imported", "plain"])
def twin(request: pytest.FixtureRequest) -> ModuleType:
    module: ModuleType = request.param
    return module


def test_nothing_moved_is_no_rest(twin: ModuleType) -> None:
    assert twin.Pace().after(0, 0) == 0.0


def test_a_trickle_is_gathered(twin: ModuleType) -> None:
    pace = twin.Pace()
    rests = [pace.after(1, 1) for _ in range(10)]
    assert rests == sorted(rests)
    assert rests[-1] == REST_S[1]


def test_a_flood_shortens_the_rest_to_the_least(twin: ModuleType) -> None:
    pace = twin.Pace()
    for _ in range(10):
        pace.after(1, 1)
    rests = [pace.after(64, MANY + 1) for _ in range(10)]
    assert rests == sorted(rests, reverse=True)
    assert rests[-1] == REST_S[0]


def test_between_few_and_many_nothing_changes(twin: ModuleType) -> None:
    pace = twin.Pace()
    first = pace.after(FEW, FEW)
    assert pace.after(MANY, MANY) == first


def test_without_rest_there_is_none(twin: ModuleType) -> None:
    pace = twin.Pace(0.0)
    assert {pace.after(n, n) for n in (1, 10, 64)} == {0.0}
