"""Choice of the event loop."""

import asyncio
import importlib.util

import pytest
import uvloop

from l7lb.director.loops import CHOICES, loop_factory


@pytest.mark.parametrize("choice", CHOICES)
def test_every_choice_gives_a_loop_that_runs(choice: str) -> None:
    with asyncio.Runner(loop_factory=loop_factory(choice)) as runner:
        kind = type(runner.get_loop())
        assert runner.run(asyncio.sleep(0, "ran")) == "ran"
    assert issubclass(kind, uvloop.Loop) == (choice != "asyncio")


def test_without_uvloop_only_a_demand_for_it_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert loop_factory("auto") is asyncio.new_event_loop
    with pytest.raises(ValueError, match="not installed"):
        loop_factory("uvloop")


def test_an_unknown_choice_is_an_error() -> None:
    with pytest.raises(ValueError, match="trio"):
        loop_factory("trio")
