"""Header edits: what they change, and which are refused when the file is read."""

import pytest

from l7lb.model_http import HeaderEdits
from l7lb.routing.edits import KEPT, apply, check

FIELDS = [(b"Host", b"a"), (b"X-A", b"1"), (b"Cookie", b"c"), (b"x-a", b"2")]


@pytest.mark.parametrize(
    ("edits", "result"),
    [
        (HeaderEdits(), FIELDS),
        (HeaderEdits(remove=(b"x-A",)), [FIELDS[0], FIELDS[2]]),
        (
            HeaderEdits(set=((b"x-a", b"3"),)),
            [FIELDS[0], (b"x-a", b"3"), FIELDS[2]],
        ),
        (HeaderEdits(set=((b"X-B", b"1"),)), [*FIELDS, (b"X-B", b"1")]),
        (HeaderEdits(add=((b"X-A", b"3"),)), [*FIELDS, (b"X-A", b"3")]),
        (
            HeaderEdits(remove=(b"x-a",), set=((b"x-a", b"3"),), add=((b"x-a", b"4"),)),
            [FIELDS[0], (b"x-a", b"3"), FIELDS[2], (b"x-a", b"4")],
        ),
    ],
)
def test_apply(edits: HeaderEdits, result: list[tuple[bytes, bytes]]) -> None:
    before = list(FIELDS)
    assert check(edits) == []
    assert apply(FIELDS, edits) == result
    assert before == FIELDS


@pytest.mark.parametrize("name", sorted(KEPT))
def test_framing_and_connection_fields_are_not_for_edits(name: bytes) -> None:
    title = name.title()
    for edits in (
        HeaderEdits(remove=(title,)),
        HeaderEdits(set=((title, b"1"),)),
        HeaderEdits(add=((title, b"1"),)),
    ):
        assert check(edits) == [f"{title.decode()} may not be edited: it {KEPT[name]}"]


@pytest.mark.parametrize("name", [b"", b"a b", b"a:", b"a\r\n", b"\xc3\xa4", b"a\x00"])
def test_names_are_tokens(name: bytes) -> None:
    assert check(HeaderEdits(remove=(name,))) == [f"{name!r} is not a header name"]


@pytest.mark.parametrize(
    ("value", "good"),
    [
        (b"", True),
        (b"a", True),
        (b"a\tb c", True),
        (b"\xc3\xa4", True),
        (b" a", False),
        (b"a ", False),
        (b"a\r\nb: c", False),
        (b"a\n", False),
        (b"\x00", False),
        (b"a\x7f", False),
    ],
)
def test_values_have_no_control_characters(value: bytes, good: bool) -> None:
    assert (check(HeaderEdits(add=((b"x", value),))) == []) is good


def test_a_name_is_set_once_and_every_problem_is_named() -> None:
    problems = check(HeaderEdits(remove=(b"Host", b"a b"), set=((b"x", b"1"), (b"X", b"2"))))
    assert problems == [
        "Host may not be edited: it is changed by a rewrite of the host",
        "b'a b' is not a header name",
        "X is set twice",
    ]
