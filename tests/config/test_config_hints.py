"""What is said to a person who wrote a name that is not known."""

from __future__ import annotations

import pytest

from l7lb.config.hints import LATER_KEYS, LATER_PROTOCOLS, LIST_LIMIT, nearest
from l7lb.config.schema_cluster import PROTOCOLS, Cluster

MANY = tuple(f"pool{number}" for number in range(LIST_LIMIT + 1))


@pytest.mark.parametrize(
    ("name", "known", "hint"),
    [
        ("scedule", ("check", "scheduler"), "did you mean 'scheduler'?; known: check, scheduler"),
        ("CHECK", ("check", "retry"), "did you mean 'check'?; known: check, retry"),
        ("zzz", ("check", "retry"), "known: check, retry"),
        ("zzz", (), "known: none"),
        ("pool7x", MANY, "did you mean 'pool7'?"),
        ("zzz", MANY, ""),
        ("zzz", MANY[:LIST_LIMIT], "known: " + ", ".join(MANY[:LIST_LIMIT])),
    ],
)
def test_nearest(name: str, known: tuple[str, ...], hint: str) -> None:
    assert nearest(name, known) == hint


def test_the_list_is_called_what_it_holds() -> None:
    assert nearest("x", ("web",), "pools") == "pools: web"
    assert nearest("x", (), "pools") == "pools: none"


def test_only_the_start_of_a_long_name_is_compared() -> None:
    assert nearest("a" * 64 + "b" * 1_000_000, ("a" * 64,)).startswith("did you mean 'aaa")


def test_what_is_promised_for_later_is_not_there_yet() -> None:
    sections = {each.__name__: set(each.model_fields) for each in (Cluster,)}
    assert sections.keys() == LATER_KEYS.keys()
    for name, fields in sections.items():
        assert not fields & LATER_KEYS[name]
    assert not LATER_PROTOCOLS & set(PROTOCOLS)
