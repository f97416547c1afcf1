"""Which mode is taken, and what is said of it."""

from __future__ import annotations

import pytest

from l7lb.media.modes import DIRECT, NAT, REDIRECT, RELAY, Choice, Known, choose

ALL = (DIRECT, NAT, RELAY)


@pytest.mark.parametrize(
    ("known", "mode", "rejected"),
    [
        (Known(), DIRECT, []),
        (Known(agent="silent"), NAT, ["silent"]),
        (Known(spoof="lost"), NAT, ["lost"]),
        (Known(agent="silent", media="goes elsewhere"), RELAY, ["silent", "goes elsewhere"]),
        (Known(control="lost"), RELAY, ["lost", "lost"]),
        (Known(kernel="no rights"), RELAY, ["no rights", "no rights"]),
        (Known(kernel="no rights", relay="away"), None, ["no rights", "no rights", "away"]),
        (Known(media="elsewhere"), DIRECT, []),
    ],
)
def test_the_first_that_works(known: Known, mode: str | None, rejected: list[str]) -> None:
    choice = choose(ALL, known)
    assert choice.mode == mode
    assert [why for _, why in choice.rejected] == rejected


def test_the_rules_order_counts() -> None:
    assert choose((RELAY, DIRECT), Known()).mode == RELAY
    assert choose((REDIRECT,), Known(kernel="no", relay="no")).mode == REDIRECT
    assert choose((), Known()).mode is None


def test_words_name_all() -> None:
    choice = choose(ALL, Known(agent="no answer"))
    assert choice.words().startswith("nat: ")
    assert choice.words().endswith("; not direct: no answer")
    assert Choice(None, "nothing").words() == "none: nothing"
