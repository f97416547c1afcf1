"""YAML to a tree: the core schema, places, and what is refused."""

from __future__ import annotations

import pytest

from l7lb.config.nodes import Mapping, key_place, node_at, value_place
from l7lb.config.refusal import Problems
from l7lb.config.source import ALIASED_LIMIT, DEPTH_LIMIT, parse
from l7lb.errors import ConfigError
from l7lb.model import Place


def plain(text: str) -> object:
    problems = Problems()
    node = parse(text, "f", problems)
    problems.raise_if_any(["f"])
    assert node is not None
    return node.plain()


def problems_of(text: str) -> list[str]:
    problems = Problems()
    parse(text, "f", problems)
    with pytest.raises(ConfigError) as caught:
        problems.raise_if_any(["f"])
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("null", None),
        ("~", None),
        ("''", ""),
        ("true", True),
        ("FALSE", False),
        ("yes", "yes"),
        ("on", "on"),
        ("off", "off"),
        ("12", 12),
        ("-3", -3),
        ("010", 10),
        ("0o17", 15),
        ("0xff", 255),
        ("1_000", "1_000"),
        ("12:30:45", "12:30:45"),
        ("2026-11-23", "2026-11-23"),
        (".5", 0.5),
        ("1.", 1.0),
        ("1e3", 1000.0),
        (".inf", float("inf")),
        ("-.inf", float("-inf")),
        ("'12'", "12"),
        ('"true"', "true"),
        ("10.0.0.1:80", "10.0.0.1:80"),
        ("20%", "20%"),
        ("[1, a, [b]]", [1, "a", ["b"]]),
        ("{a: 1, 2: b, true: c}", {"a": 1, "2": "b", "true": "c"}),
        ("%YAML 1.1\n---\nyes", "yes"),
        ("|\n  a\n  b\n", "a\nb\n"),
    ],
)
def test_scalars_follow_the_core_schema(text: str, value: object) -> None:
    assert plain(text) == value
    assert type(plain(text)) is type(value)


def test_every_key_and_value_has_its_place() -> None:
    root = parse("a:\n  - b\n  - {c: d}\n", "f", Problems())
    assert isinstance(root, Mapping)
    assert value_place(root, ("a", 0)) == Place("f", 2, 5)
    assert key_place(root, ("a", 1, "c")) == Place("f", 3, 6)
    assert value_place(root, ("a", 1, "c")) == Place("f", 3, 9)


def test_a_step_that_is_not_there_is_passed_over() -> None:
    root = parse("listen: '*:80'\ncheck: {http: /}\n", "f", Problems())
    assert root is not None
    assert value_place(root, ("listen", 0, "address")) == Place("f", 1, 9)
    assert key_place(root, ("check", "key", "http")) == Place("f", 2, 9)
    assert node_at(root, ("listen", 5)).plain() == "*:80"


def test_aliases_and_merges() -> None:
    text = "a: &x {b: 1, c: 2}\nd: {<<: *x, c: 3}\ne: {<<: [{c: 4}, *x]}\nf: *x\n"
    assert plain(text) == {
        "a": {"b": 1, "c": 2},
        "d": {"b": 1, "c": 3},
        "e": {"c": 4, "b": 1},
        "f": {"b": 1, "c": 2},
    }


def bomb(levels: int) -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, levels)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "the file is empty"),
        ("# only words\n", "the file is empty"),
        ("a: 1\na: 2\n", "f:2:1: key 'a' stands here and in line 1"),
        ("a: !x b", "the tag '!x' is not allowed"),
        ("a: !!python/object:os.system b", "is not allowed"),
        ("a: *nothing", "*nothing stands for nothing"),
        ("a: &a [*a]", "*a stands for nothing"),
        ("listen: *:80", 'needs quotes: "*:80"'),
        ("[a]: b", "a key must be text"),
        ("? {a: b}\n: c", "a key must be text"),
        ("*a : b", "stands for nothing"),
        ("a: &a b\n*a : 2", "an alias cannot be a key"),
        ("a: 1\n---\nb: 2\n", "f:2:1: a second YAML document"),
        ("a: [1, 2", "not YAML"),
        ("a: b: c", "quote text that holds a colon"),
        ("a:\n\tb: c", "never with tabs"),
        ("a: @x", "needs quotes"),
        ('a: "\\ud800"', "half of a surrogate pair"),
        ('a: "\\0"', "NUL"),
        ("a: \x00", "not YAML"),
        ("a: 9999999999999999999999", "is too long"),
        ("a: 0x99999999999999999999", "is too long"),
        ("<<: 3", "<< takes a mapping"),
        ("[" * (DEPTH_LIMIT + 1), f"nested more than {DEPTH_LIMIT} deep"),
        ("[" * 100_000, f"nested more than {DEPTH_LIMIT} deep"),
        ("a: &a " + "[" * 20 + "]" * 20 + "\nb: " + "[" * 20 + "*a" + "]" * 20, "nested more than"),
        (bomb(9), f"aliases stand for more than {ALIASED_LIMIT} values"),
    ],
)
def test_what_is_refused(text: str, problem: str) -> None:
    assert any(problem in found for found in problems_of(text)), problems_of(text)


def test_merges_count_as_aliases_do() -> None:
    text = "a0: &a0 {k: [x]}\n" + "".join(
        f"a{n}: &a{n} {{<<: *a{n - 1}, k{n}: [*a{n - 1}]}}\n" for n in range(1, 40)
    )
    assert problems_of(text) == [f"f:15:16: aliases stand for more than {ALIASED_LIMIT} values"]
