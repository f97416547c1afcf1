"""Names to schedulers, and the contract that all of them keep."""

import subprocess
import sys
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l7lb.model import KeyKind, KeySpec, SchedulerKind, SchedulerSpec
from l7lb.scheduling.bounded import BoundedLoad
from l7lb.scheduling.registry import DEFAULT_KEYS, HASHES, PLAIN, build, key_of
from support.candidates import World, by_key, servers


def test_every_name_of_the_model_has_a_scheduler():
    assert set(PLAIN) | set(HASHES) == set(SchedulerKind)
    assert not set(PLAIN) & set(HASHES)


@pytest.mark.parametrize("kind", SchedulerKind)
def test_hashes_and_only_hashes_hang_on_a_key(kind):
    scheduler = build(SchedulerSpec(kind), servers(1, 1), World().inputs)
    assert scheduler.by_key is (kind in HASHES)
    assert (key_of(SchedulerSpec(kind)) is not None) is scheduler.by_key


def test_keys():
    path = KeySpec(KeyKind.PATH)
    assert key_of(SchedulerSpec(SchedulerKind.HASH, key=path)) == path
    assert key_of(SchedulerSpec(SchedulerKind.DH)) == DEFAULT_KEYS[SchedulerKind.DH]
    assert key_of(SchedulerSpec(SchedulerKind.MH)) == KeySpec(KeyKind.SOURCE)


@pytest.mark.parametrize("kind", HASHES)
def test_any_hash_can_be_bounded(kind):
    scheduler = build(SchedulerSpec(kind, bound=1.25), servers(1, 1, 1), World().inputs)
    assert isinstance(scheduler, BoundedLoad)
    assert set(by_key(scheduler, range(200)).values()) == {"a", "b", "c"}


@given(
    st.sampled_from(SchedulerKind),
    st.lists(st.floats(0.1, 100), max_size=5),
    st.sets(st.integers(0, 4)),
    st.none() | st.binary(max_size=8),
    st.none() | st.just(1.25),
    st.lists(st.integers(0, 9), min_size=5, max_size=5),
)
def test_a_server_that_is_left_is_chosen_and_an_excluded_one_never(
    kind, weights, excluded, key, bound, sessions
):
    world = World()
    world.open.update(dict(enumerate(sessions)))
    candidates = servers(*weights)
    exclude = [each for each in candidates if each.index in excluded]
    scheduler = build(SchedulerSpec(kind, bound=bound), candidates, world.inputs)
    for _ in range(3):
        chosen = scheduler.choose(key, exclude)
        assert (chosen is None) == (len(exclude) == len(candidates))
        assert chosen not in exclude


SCRIPT = """
from support.candidates import World, by_key, servers
from l7lb.model import SchedulerKind, SchedulerSpec
from l7lb.scheduling.registry import HASHES, build
for kind in HASHES:
    scheduler = build(SchedulerSpec(kind), servers(1, 2, 3), World().inputs)
    print("".join(by_key(scheduler, range(200)).values()))
"""


def test_another_process_gives_the_same_answers():
    outputs = {
        subprocess.run(
            [sys.executable, "-c", SCRIPT],
            env={"PYTHONPATH": ":".join(sys.path), "PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1
    assert outputs.pop().count(b"\n") == len(HASHES)


def test_inputs_are_a_plain_value():
    assert replace(World().inputs, members=7).members == 7
