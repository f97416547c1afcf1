"""`l7lb where`, `move` and `kick`."""

from __future__ import annotations

import json

import pytest

from l7lb.cli import kick, move, where
from l7lb.cli.main import main

ROW = {"account": "alice@example.org", "pool": "mail", "server": "m1", "held_s": 0.0}


class Answering:
    asked: list[object]

    def get(self, path: str) -> dict[str, object]:
        Answering.asked = [path]
        return {"accounts": [ROW]}

    def post(self, path: str, body: dict[str, object]) -> dict[str, object]:
        Answering.asked = [path, body]
        return ROW if path.endswith("move") else {"accounts": [ROW]}


@pytest.fixture(autouse=True)
def answered(monkeypatch: pytest.MonkeyPatch) -> None:
    for verb in (where, move, kick):
        monkeypatch.setattr(verb, "client_of", lambda _: Answering())


def test_where_is_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["where", "alice@", "--limit", "5"]) == 0
    assert Answering.asked == ["/v1/accounts?prefix=alice%40&limit=5"]
    assert capsys.readouterr().out.splitlines() == [
        "ACCOUNT            POOL  SERVER",
        "alice@example.org  mail  m1",
    ]


def test_where_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["where", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == [ROW]


def test_move_says_where_it_is_now(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["move", "alice@example.org", "mail/m1", "--hold", "2s"]) == 0
    body = {"account": "alice@example.org", "pool": "mail", "server": "m1", "hold_s": 2.0}
    assert Answering.asked == ["/v1/accounts/move", body]
    assert capsys.readouterr().out == "alice@example.org: mail/m1\n"
    assert main(["move", "alice@example.org", "mail/m1"]) == 0
    assert Answering.asked == ["/v1/accounts/move", {k: body[k] for k in body if k != "hold_s"}]


def test_kick_says_what_ends(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["kick", "alice@example.org"]) == 0
    assert Answering.asked == ["/v1/accounts/kick", {"account": "alice@example.org"}]
    assert capsys.readouterr().out == "alice@example.org: sessions on mail/m1 end\n"
