"""A POP3 client's commands: whole, byte by byte, with trailing bytes, and every refusal."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l7lb_protocols.pop3.commands import Command, CommandReader
from l7lb_protocols.pop3.errors import Pop3Refusal
from l7lb_protocols.pop3.render import command

Found = Command | tuple[str, bool]


def read(data: bytes, size: int, max_line: int = 64) -> tuple[list[Found], bytes]:
    """What the reader finds, and what it leaves."""
    reader, found = CommandReader(max_line), list[Found]()
    for at in range(0, len(data), size):
        reader.receive(data[at : at + size])
        while True:
            try:
                one = reader.next_command()
            except Pop3Refusal as problem:
                found.append((problem.reason, problem.is_fatal))
                if problem.is_fatal:
                    return found, b""
            else:
                if one is None:
                    break
                found.append(one)
    return found, reader.rest()


GOOD: dict[bytes, list[Found]] = {
    b"CAPA\r\n": [Command(b"CAPA")],
    b"capa\r\n": [Command(b"CAPA")],
    b"USER joe\r\nPASS s3cret\r\n": [Command(b"USER", b"joe"), Command(b"PASS", b"s3cret")],
    b"PASS  two  spaces \r\n": [Command(b"PASS", b" two  spaces ")],
    b"PASS \r\n": [Command(b"PASS", b"")],
    "USER jürgen\r\n".encode(): [Command(b"USER", "jürgen".encode())],
    b"AUTH PLAIN =\r\n": [Command(b"AUTH", b"PLAIN =")],
    b"XCLIENT ADDR=1.2.3.4 TTL=3\r\n": [Command(b"XCLIENT", b"ADDR=1.2.3.4 TTL=3")],
    b"x" * 62 + b"\r\nNOOP\r\n": [("malformed command", False), Command(b"NOOP")],
}


@pytest.mark.parametrize("size", [1, 2, 1000])
@pytest.mark.parametrize(("data", "found"), GOOD.items(), ids=map(repr, GOOD))
def test_good(data: bytes, found: list[Found], size: int) -> None:
    assert read(data, size) == (found, b"")
    assert read(data + b"\x01RETR", 1000) == (found, b"\x01RETR")


def test_words() -> None:
    assert Command(b"AUTH").words() == ()
    assert Command(b"AUTH", b"PLAIN =").words() == (b"PLAIN", b"=")


BAD: dict[bytes, tuple[str, bool]] = {
    b"\r\n": ("malformed command", False),
    b" CAPA\r\n": ("malformed command", False),
    b"QU\r\n": ("malformed command", False),
    b"QUITTINGS\r\n": ("malformed command", False),
    b"QU*T\r\n": ("malformed command", False),
    b"\xff\xff\xff\r\n": ("malformed command", False),
    b"CAPA \r\n": ("malformed argument", False),
    b"AUTH  PLAIN\r\n": ("malformed argument", False),
    b"AUTH PLAIN \xff\r\n": ("malformed argument", False),
    b"AUTH PLAIN\t\r\n": ("malformed argument", False),
    b"x" * 64: ("line over the limit", True),
    b"USER j\0e\r\n": ("NUL in a line", True),
    b"USER joe\n": ("bare LF in a line", True),
    b"USER joe\rPASS\r\n": ("bare CR in a line", True),
    b"GET / HTTP/1.1\r\n": ("this is HTTP", True),
}


@pytest.mark.parametrize("size", [1, 3, 1000])
@pytest.mark.parametrize(("data", "problem"), BAD.items(), ids=map(repr, BAD))
def test_bad(data: bytes, problem: tuple[str, bool], size: int) -> None:
    assert read(data, size) == ([problem], b"")


@given(st.sampled_from([b"USER", b"PASS"]), st.binary(max_size=40), st.integers(1, 20))
def test_reads_what_is_built(name: bytes, argument: bytes, size: int) -> None:
    try:
        data = command(name, argument)
    except ValueError:
        assert set(argument) & set(b"\r\n\0")
        return
    assert read(data + b"rest", size) == ([Command(name, argument)], b"rest")


def test_answer_to_a_challenge() -> None:
    reader = CommandReader()
    reader.receive(b"AGpv\r\n*")
    assert (reader.next_line(10), reader.next_line(10), len(reader)) == (b"AGpv", None, 1)
    reader.receive(b"x" * 20)
    with pytest.raises(Pop3Refusal):
        reader.next_line(10)
