"""`l7lb locks`."""

import json

import pytest

from l7lb.cli import locks
from l7lb.cli.main import main

FOUND = [
    {"resource": "user/17", "mode": "EX", "holder": "node-a", "granted": True, "token": 42,
     "age_s": 3.0},
    {"resource": "user/17", "mode": "EX", "holder": "node-b", "granted": False, "token": 0,
     "age_s": 61.0},
]  # fmt: skip


class Answering:
    asked = ""

    def get(self, path: str) -> dict[str, object]:
        Answering.asked = path
        return {"locks": FOUND}


@pytest.fixture
def answered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "client_of", lambda _: Answering())


@pytest.mark.usefixtures("answered")
def test_a_row_for_each_with_holder_and_age(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["locks", "user/", "--limit", "5"]) == 0
    assert Answering.asked == "/v1/locks?prefix=user%2F&limit=5"
    assert capsys.readouterr().out.splitlines() == [
        "RESOURCE  MODE  STATE  HOLDER  SINCE  TOKEN",
        "user/17   EX    held   node-a   3.0s     42",
        "user/17   EX    waits  node-b   1m1s      -",
    ]


@pytest.mark.usefixtures("answered")
def test_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["locks", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == FOUND
