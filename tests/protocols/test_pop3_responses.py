"""A POP3 server's responses: whole, byte by byte, with trailing bytes, and every fault."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l7lb_protocols.pop3.errors import Pop3ServerFault
from l7lb_protocols.pop3.render import body
from l7lb_protocols.pop3.responses import (
    CONTINUE,
    ERR,
    OK,
    Response,
    ResponseLimits,
    ResponseReader,
)

LIMITS = ResponseLimits(max_line=64, max_lines=3)


def read(data: bytes, size: int, *, has_body: bool = False) -> tuple[Response | None, bytes, str]:
    reader, found = ResponseReader(LIMITS), None
    for at in range(0, len(data), size):
        reader.receive(data[at : at + size])
        try:
            found = found or reader.next_response(has_body=has_body)
        except Pop3ServerFault as problem:
            return None, b"", problem.reason
    return found, reader.rest(), ""


GOOD = {
    b"+OK ready <1.2@x>\r\n": Response(OK, b"ready <1.2@x>"),
    b"+OK\r\n": Response(OK, b""),
    b"+ok x\r\n": Response(OK, b"x"),
    b"-ERR [IN-USE] no\r\n": Response(ERR, b"[IN-USE] no", b"IN-USE"),
    b"-ERR [sys/temp] no\r\n": Response(ERR, b"[sys/temp] no", b"SYS/TEMP"),
    b"-ERR [IN USE] no\r\n": Response(ERR, b"[IN USE] no"),
    b"-ERR no [AUTH]\r\n": Response(ERR, b"no [AUTH]"),
    b"+ \r\n": Response(CONTINUE, b""),
    b"+\r\n": Response(CONTINUE, b""),
    b"+ VXNl\r\n": Response(CONTINUE, b"VXNl"),
}


@pytest.mark.parametrize(("data", "found"), GOOD.items(), ids=map(repr, GOOD))
def test_one_line(data: bytes, found: Response) -> None:
    for size in (1, 2, 1000):
        assert read(data, size) == (found, b"", "")
    assert read(data + b"\x17\n", 1000) == (found, b"\x17\n", "")


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"+OK x\r\n.\r\n", Response(OK, b"x")),
        (b"+OK\r\nTOP\r\n..x\r\n.y\r\n.\r\n", Response(OK, b"", lines=(b"TOP", b".x", b"y"))),
        (b"-ERR what\r\n", Response(ERR, b"what")),
    ],
)
def test_many_lines(data: bytes, found: Response) -> None:
    for size in (1, 3, 1000):
        assert read(data, size, has_body=True) == (found, b"", "")
    assert read(data + b"+OK", 1000, has_body=True) == (found, b"+OK", "")
    assert read(data[:-1], 1000, has_body=True)[0] is None


@pytest.mark.parametrize(
    "data",
    [
        b"\r\n",
        b"OK\r\n",
        b"+OKAY\r\n",
        b"* OK IMAP\r\n",
        b"220 SMTP\r\n",
        b"+OK x\n",
        b"+OK \0\r\n",
        b"+O\rK\r\n",
        b"+OK" + b"x" * 64,
        b"+OK\r\n" + b"x\r\n" * 4,
        b"+OK\r\nx\n.\r\n",
    ],
)
def test_bad(data: bytes) -> None:
    for size in (1, 1000):
        assert read(data, size, has_body=True)[2]


LINE = st.binary(max_size=20).filter(lambda line: not set(line) & set(b"\r\n\0"))


@given(st.lists(LINE, max_size=3), st.integers(1, 30))
def test_reads_what_is_built(lines: list[bytes], size: int) -> None:
    found, rest, fault = read(body(b"x", lines) + b"+OK", size, has_body=True)
    assert (found, rest, fault) == (Response(OK, b"x", lines=tuple(lines)), b"+OK", "")
