"""Both twins of the log's buffer keep to the same words."""

from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l7lb.net import line_buffer
from support.twins import plain_twin

both = pytest.mark.parametrize(
    "twin", [line_buffer, plain_twin(line_buffer)], ids=["imported", "plain"]
)


@both
@given(st.lists(st.binary(max_size=30)))
def test_holds_what_was_added_until_it_is_taken(twin: ModuleType, pieces: list[bytes]) -> None:
    out = twin.LineBuffer()
    for piece in pieces:
        out.add(piece)
    assert out.size == sum(map(len, pieces))
    assert out.take() == b"".join(pieces)
    assert (out.size, out.take()) == (0, b"")


@both
def test_grows_and_shrinks(twin: ModuleType) -> None:
    out = twin.LineBuffer()
    for size in (100_000, 1_000_000, 10):
        out.add(b"a" * size)
        out.add(b"b")
        assert out.take() == b"a" * size + b"b"


@both
@given(st.binary(max_size=30))
def test_plain_bytes_only(twin: ModuleType, data: bytes) -> None:
    out = twin.LineBuffer()
    is_plain = all(0x20 <= byte < 0x7F and byte not in b'"\\' for byte in data)
    assert out.add_plain(data) is is_plain
    assert out.take() == (data if is_plain else b"")


@both
@given(st.text(max_size=30))
def test_plain_names_only(twin: ModuleType, text: str) -> None:
    out = twin.LineBuffer()
    is_plain = all(" " <= letter < "\x7f" and letter not in '"\\' for letter in text)
    assert out.add_name(text) is is_plain
    assert out.take() == (text.encode() if is_plain else b"")


@both
@given(st.integers(-(2**63), 2**63 - 1))
def test_numbers(twin: ModuleType, number: int) -> None:
    out = twin.LineBuffer()
    out.add_number(number)
    assert out.take() == str(number).encode()


@both
@given(st.floats(0, 1e9))
def test_seconds_to_a_microsecond(twin: ModuleType, seconds: float) -> None:
    out = twin.LineBuffer()
    out.add_seconds(seconds)
    whole, _, part = out.take().partition(b".")
    assert len(part) == 6
    assert abs(int(whole) + int(part) / 1e6 - seconds) <= 1e-6
