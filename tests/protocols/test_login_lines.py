"""Lines from pieces: whole, byte by byte, with trailing bytes; what breaks the framing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l7lb_protocols.login.lines import LineBuffer


class Broken(Exception):
    pass


def lines(data: bytes, size: int, limit: int = 20) -> tuple[list[bytes], bytes, str]:
    """Lines, what is left, and the error."""
    buffer, found = LineBuffer(Broken), []
    for at in range(0, len(data), size):
        buffer.receive(data[at : at + size])
        try:
            while (line := buffer.take_line(limit)) is not None:
                found.append(line)
        except Broken as problem:
            return found, b"", str(problem)
    return found, buffer.rest(), ""


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", ([], b"", "")),
        (b"one\r\ntwo\r\nthr", ([b"one", b"two"], b"thr", "")),
        (b"\r\n\r\n", ([b"", b""], b"", "")),
        (b"one\r", ([], b"one\r", "")),
        (b"x" * 18 + b"\r\n", ([b"x" * 18], b"", "")),
        (b"x" * 19 + b"\r\n", ([], b"", "line over the limit")),
        (b"one\ntwo\r\n", ([], b"", "bare LF in a line")),
        (b"\n", ([], b"", "bare LF in a line")),
        (b"one\rtwo\r\n", ([], b"", "bare CR in a line")),
        (b"one\r\r\n", ([], b"", "bare CR in a line")),
        (b"ok\r\no\0e\r\n", ([b"ok"], b"", "NUL in a line")),
        (b"\x16\x03\x01\0", ([], b"", "NUL in a line")),
    ],
)
def test_lines(data: bytes, expected: tuple[list[bytes], bytes, str]) -> None:
    for size in (1, 2, 3, 1000):
        assert lines(data, size) == expected


def test_counted_bytes_between_lines() -> None:
    buffer = LineBuffer(Broken)
    buffer.receive(b"a\r\n\0\n")
    assert buffer.take_line(9) == b"a"
    assert buffer.take(3) is None
    buffer.receive(b"\rrest")
    assert (buffer.take(3), len(buffer), buffer.rest(), len(buffer)) == (b"\0\n\r", 4, b"rest", 0)


@given(st.lists(st.sampled_from([b"a", b"\r\n", b"\r", b"\n", b"\0", b"bc"])), st.integers(1, 9))
def test_pieces_make_no_difference(parts: list[bytes], size: int) -> None:
    data = b"".join(parts)
    whole, split = lines(data, 1000), lines(data, size)
    assert whole[0] == split[0]
    assert bool(whole[2]) == bool(split[2])
