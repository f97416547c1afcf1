"""`l7lb events`."""

import json
from collections.abc import Iterator

import pytest

from l7lb.cli import events
from l7lb.cli.client import Client
from support.running_director import Command, Director


def test_the_newest_come_last(command: Command, director: Director) -> None:
    director.client.post("/v1/reload")
    code, out, _ = command("events", "-n", "3")
    assert code == 0
    lines = out.splitlines()
    assert len(lines) == 3
    assert " info    reloaded generation=" in lines[-1]


def test_as_json(command: Command) -> None:
    out = command("events", "--json", "-n", "2")[1]
    assert all("event" in json.loads(line) for line in out.splitlines())


def test_follow_shows_each_once(
    command: Command, director: Director, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: Iterator[None] = iter((None, None))

    def act(_: float) -> None:
        try:
            next(steps)
        except StopIteration:
            raise KeyboardInterrupt from None
        director.client.post("/v1/reload")

    monkeypatch.setattr(events.time, "sleep", act)
    code, out, _ = command("events", "--follow", "--json", "-n", "1")
    assert code == 130
    numbers = [json.loads(line)["number"] for line in out.splitlines()]
    assert numbers == list(range(numbers[0], numbers[-1] + 1))
    assert sum(json.loads(line)["event"] == "reloaded" for line in out.splitlines()[1:]) == 2


def test_no_event_keeps_the_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Client, "get", lambda *_: {"events": []})
    assert events.show(Client(__import__("pathlib").Path("x")), "after=5", False) == 0
