"""A server's responses: whole, byte by byte, with trailing bytes, and every fault."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l7lb_protocols.imap.errors import ImapServerFault
from l7lb_protocols.imap.responses import Response, ResponseLimits, ResponseReader

LIMITS = ResponseLimits(max_line=80, max_response=120)


def read(data: bytes, size: int) -> tuple[list[Response], bytes, str]:
    reader, found = ResponseReader(LIMITS), []
    for at in range(0, len(data), size):
        reader.receive(data[at : at + size])
        try:
            while one := reader.next_response():
                found.append(one)
        except ImapServerFault as problem:
            return found, b"", problem.reason
    return found, reader.rest(), ""


def raw(data: bytes, *parts: bytes) -> Response:
    return Response(*parts, raw=data)


GOOD = {
    b"* OK ready\r\n": (b"*", b"OK", b"ready"),
    b"* OK\r\n": (b"*", b"OK", b""),
    b"* ok [CAPABILITY IMAP4rev1 ID] hi\r\n": (
        b"*",
        b"OK",
        b"hi",
        b"CAPABILITY",
        b"IMAP4rev1 ID",
    ),
    b"* BYE [unavailable] later\r\n": (b"*", b"BYE", b"later", b"UNAVAILABLE"),
    b"* PREAUTH hi\r\n": (b"*", b"PREAUTH", b"hi"),
    b"* OK [CAPABILITY IMAP4rev1 hi\r\n": (b"*", b"OK", b"[CAPABILITY IMAP4rev1 hi"),
    b"* OK see {5}\r\n": (b"*", b"OK", b"see {5}"),
    b"* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n": (b"*", b"CAPABILITY", b"IMAP4rev1 AUTH=PLAIN"),
    b"* 3 EXISTS\r\n": (b"*", b"3", b"EXISTS"),
    b'* ID ("a" {3}\r\n\0\n\r "b" ~{0}\r\n)\r\n': (
        b"*",
        b"ID",
        b'("a" {3}\r\n\0\n\r "b" ~{0}\r\n)',
    ),
    b"+ \r\n": (b"+", b"", b""),
    b"+\r\n": (b"+", b"", b""),
    b"+ VXNlcm5hbWU6\r\n": (b"+", b"", b"VXNlcm5hbWU6"),
    b"a1 OK done\r\n": (b"a1", b"OK", b"done"),
    b"a1 NO [AUTHENTICATIONFAILED] no\r\n": (b"a1", b"NO", b"no", b"AUTHENTICATIONFAILED"),
    b"a1 BAD \xc3\xbc\r\n": (b"a1", b"BAD", b"\xc3\xbc"),
}


@pytest.mark.parametrize(("data", "parts"), GOOD.items(), ids=map(repr, GOOD))
def test_good(data: bytes, parts: tuple[bytes, ...]) -> None:
    for size in (1, 2, 1000):
        assert read(data, size) == ([raw(data, *parts)], b"", "")
    assert read(data + b"\x17\x03", 1000) == ([raw(data, *parts)], b"\x17\x03", "")


def test_many_at_once() -> None:
    found, rest, fault = read(b"".join(GOOD), 10**6)
    assert [one.raw for one in found] == list(GOOD)
    assert (rest, fault) == (b"", "")


@pytest.mark.parametrize(
    "data",
    [
        b"\r\n",
        b"*\r\n",
        b"* \r\n",
        b"hello\r\n",
        b"220 mail ESMTP\r\n",
        b"+OK POP3\r\n",
        b"HTTP/1.1 400 Bad Request\r\n",
        b"a1 BYE\r\n",
        b"a1 FOO x\r\n",
        b"* OK \0\r\n",
        b"* OK\n",
        b"* O\rK\r\n",
        b"* OK " + b"x" * 80,
        b"* ID {200}\r\n",
        b"* ID {9999999999}\r\n",
        b"* ID" + b" {9}\r\n123456789" * 9,
    ],
)
def test_bad(data: bytes) -> None:
    for size in (1, 1000):
        assert read(data, size)[2]


PIECES = (b"*", b"+", b"a1", b" ", b"OK", b"[X y]", b"{2}", b"\r\n", b"ID", b"\0")


@given(st.lists(st.sampled_from(PIECES), max_size=25), st.integers(1, 9))
def test_pieces_make_no_difference(parts: list[bytes], size: int) -> None:
    data = b"".join(parts)
    whole, split = read(data, 10**6), read(data, size)
    assert (whole[0], bool(whole[2])) == (split[0], bool(split[2]))
