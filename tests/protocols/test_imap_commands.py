"""A client's commands: whole, byte by byte, with trailing bytes, and every refusal."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l7lb_protocols.imap.arguments import ArgumentParser, Literal
from l7lb_protocols.imap.commands import Command, CommandLimits, CommandReader, LiteralAsked
from l7lb_protocols.imap.errors import ImapRefusal
from l7lb_protocols.imap.grammar import Word
from l7lb_protocols.imap.render import Literals, command

Found = Command | LiteralAsked | tuple[str, bytes, bool]


def read(data: bytes, size: int, limits: CommandLimits | None = None) -> tuple[list[Found], bytes]:
    """What the reader finds, and what it leaves."""
    reader, found = CommandReader(limits), list[Found]()
    for at in range(0, len(data), size):
        reader.receive(data[at : at + size])
        try:
            while one := next_one(reader):
                found.append(one)
        except ImapRefusal as problem:
            found.append((problem.reason, problem.tag, problem.is_fatal))
            return found, b""
    return found, reader.rest()


def next_one(reader: CommandReader) -> Found | None:
    try:
        return reader.next_command()
    except ImapRefusal as problem:
        if problem.is_fatal:
            raise
        return problem.reason, problem.tag, False


def atoms(*values: bytes) -> tuple[Word, ...]:
    return tuple(map(Word, values))


def texts(*values: bytes) -> tuple[Word, ...]:
    return tuple(Word(value, True) for value in values)


GOOD: dict[str, tuple[bytes, list[Found]]] = {
    "no arguments": (b"a1 noop\r\n", [Command(b"a1", b"NOOP")]),
    "atoms": (b"a1 login joe s3cret\r\n", [Command(b"a1", b"LOGIN", atoms(b"joe", b"s3cret"))]),
    "bracket in an astring": (b"a LOGIN j]e x\r\n", [Command(b"a", b"LOGIN", atoms(b"j]e", b"x"))]),
    "quoted": (
        b'a LOGIN "joe doe" "a\\"b\\\\c"\r\n',
        [Command(b"a", b"LOGIN", texts(b"joe doe", b'a"b\\c'))],
    ),
    "empty string": (b'a LOGIN "" ""\r\n', [Command(b"a", b"LOGIN", texts(b"", b""))]),
    "literals": (
        b"a LOGIN {3}\r\njoe {5}\r\nx\r\n y\r\n",
        [
            LiteralAsked(b"a", b"LOGIN", 3),
            LiteralAsked(b"a", b"LOGIN", 5),
            Command(b"a", b"LOGIN", texts(b"joe", b"x\r\n y")),
        ],
    ),
    "LITERAL+": (
        b"a LOGIN {3+}\r\njoe {0+}\r\n\r\n",
        [Command(b"a", b"LOGIN", texts(b"joe", b""))],
    ),
    "8 bit in a literal": (
        b"a LOGIN joe {2+}\r\n\xc3\xbc\r\n",
        [Command(b"a", b"LOGIN", (Word(b"joe"), Word(b"\xc3\xbc", True)))],
    ),
    "a literal that looks like commands": (
        b"a LOGIN joe {16+}\r\na OK\r\nb NOOP {5}\r\n",
        [Command(b"a", b"LOGIN", (Word(b"joe"), Word(b"a OK\r\nb NOOP {5}", True)))],
    ),
    "initial response": (
        b"a AUTHENTICATE PLAIN AGpvZQB4+/==\r\nb AUTHENTICATE EXTERNAL =\r\n",
        [
            Command(b"a", b"AUTHENTICATE", atoms(b"PLAIN", b"AGpvZQB4+/==")),
            Command(b"b", b"AUTHENTICATE", atoms(b"EXTERNAL", b"=")),
        ],
    ),
    "lists": (
        b'a ID ("name" {2+}\r\nmy "os" NIL)\r\nb ID NIL\r\nc ID ()\r\n',
        [
            Command(b"a", b"ID", ((*texts(b"name", b"my", b"os"), Word(b"NIL")),)),
            Command(b"b", b"ID", atoms(b"NIL")),
            Command(b"c", b"ID", ((),)),
        ],
    ),
    "pipelined": (
        b"a NOOP\r\nb CAPABILITY\r\n",
        [Command(b"a", b"NOOP"), Command(b"b", b"CAPABILITY")],
    ),
}


@pytest.mark.parametrize("size", [1, 2, 7, 10**6])
@pytest.mark.parametrize(("data", "found"), GOOD.values(), ids=GOOD)
def test_good(data: bytes, found: list[Found], size: int) -> None:
    assert read(data, size) == (found, b"")
    if size > 7:
        for rest in (b"\0\xff\n", b"c APPEND", b"\r"):
            reader = CommandReader()
            reader.receive(data + rest)
            assert [reader.next_command() for _ in found] == found
            assert (len(reader), reader.rest()) == (len(rest), rest)


def malformed(tag: bytes, reason: str = "malformed argument") -> list[Found]:
    return [(reason, tag, False)]


def fatal(tag: bytes, reason: str) -> list[Found]:
    return [(reason, tag, True)]


LIMITS = CommandLimits(max_line=64, max_literal=10, max_command=70, max_arguments=4)
BAD: dict[str, tuple[bytes, list[Found]]] = {
    "empty line": (b"\r\n", malformed(b"", "malformed tag")),
    "tag with plus": (b"a+ NOOP\r\n", malformed(b"", "malformed tag")),
    "long tag": (b"a" * 65 + b" X\r\n", fatal(b"", "line over the limit")),
    "no command": (b"a\r\n", malformed(b"a", "malformed command")),
    "two spaces": (b"a  NOOP\r\n", malformed(b"a", "malformed command")),
    "trailing space": (b"a NOOP \r\n", malformed(b"a")),
    "no space between": (b'a LOGIN "x""y"\r\n', malformed(b"a")),
    "open quote": (b'a LOGIN joe "x\r\n', malformed(b"a")),
    "escape of others": (b'a LOGIN joe "\\x"\r\n', malformed(b"a")),
    "8 bit quoted": (b'a LOGIN joe "\xc3\xbc"\r\n', malformed(b"a")),
    "8 bit atom": (b"a LOGIN joe \xc3\xbc\r\n", malformed(b"a")),
    "wildcard": (b"a LOGIN joe *\r\n", malformed(b"a")),
    "control": (b"a LOGIN joe \x01\r\n", malformed(b"a")),
    "open list": (b"a ID (\r\n", malformed(b"a")),
    "list without end": (b'a ID ("x"\r\n', malformed(b"a", "list without end")),
    "nested list": (b"a ID ((\r\n", malformed(b"a", "list in a list before login")),
    "closed twice": (b"a ID ())\r\n", malformed(b"a")),
    "literal in the middle": (b"a LOGIN {3} x\r\n", malformed(b"a")),
    "literal8": (b"a LOGIN ~{3}\r\n", malformed(b"a")),
    "literal8 that comes anyhow": (b"a LOGIN ~{3+}\r\n", fatal(b"a", "malformed argument")),
    "literal without size": (b"a LOGIN {}\r\n", malformed(b"a")),
    "literal of minus": (b"a LOGIN {-1}\r\n", malformed(b"a")),
    "literal of 2**64": (
        b"a LOGIN {18446744073709551617}\r\n",
        malformed(b"a", "literal over the limit"),
    ),
    "literal too long": (b"a LOGIN {11}\r\n", malformed(b"a", "literal over the limit")),
    "LITERAL+ too long": (b"a LOGIN {11+}\r\n", fatal(b"a", "literal over the limit")),
    "broken before LITERAL+": (b"a LOGIN * {5+}\r\n", fatal(b"a", "malformed argument")),
    "no tag before LITERAL+": (b"* LOGIN {5+}\r\n", fatal(b"", "malformed tag")),
    "NUL in a literal": (b"a LOGIN {3+}\r\na\0b x\r\n", fatal(b"a", "NUL in a literal")),
    "literals over the limit together": (
        b"a LOGIN" + b" {9+}\r\n123456789" * 6 + b"\r\n",
        fatal(b"a", "literal over the limit"),
    ),
    "lines over the limit together": (
        b"a X {9+}\r\n123456789 " + b"x" * 60 + b"\r\n",
        fatal(b"a", "command over the limit"),
    ),
    "too many arguments": (b"a X 1 2 3 4 5\r\n", malformed(b"a", "too many arguments")),
    "line too long": (b"a X " + b"x" * 60, fatal(b"", "line over the limit")),
    "NUL": (b"a NO\0OP", fatal(b"", "NUL in a line")),
    "bare LF": (b"a NOOP\n", fatal(b"", "bare LF in a line")),
    "bare CR": (b"a NOOP\rb", fatal(b"", "bare CR in a line")),
    "HTTP": (b"GET /x HTTP/1.1\r\n", fatal(b"", "this is HTTP")),
    "TLS": (b"\x16\x03\x01\x02\x00", fatal(b"", "NUL in a line")),
}


@pytest.mark.parametrize("size", [1, 3, 10**6])
@pytest.mark.parametrize(("data", "found"), BAD.values(), ids=BAD)
def test_bad(data: bytes, found: list[Found], size: int) -> None:
    assert read(data, size, LIMITS) == (found, b"")


def test_after_a_refusal_the_next_command_is_read() -> None:
    assert read(b'a LOGIN "\r\nb NOOP\r\n', 10**6) == (
        [*malformed(b"a"), Command(b"b", b"NOOP")],
        b"",
    )


def test_refused_literal_is_not_waited_for() -> None:
    reader = CommandReader()
    reader.receive(b"a LOGIN {3}\r\n")
    assert reader.next_command() == LiteralAsked(b"a", b"LOGIN", 3)
    reader.abandon()
    reader.receive(b"b NOOP\r\n")
    assert reader.next_command() == Command(b"b", b"NOOP")


def test_parser_alone() -> None:
    parser = ArgumentParser(3)
    assert parser.feed(b" x {4}") == Literal(4, True)
    parser.put(b"1234")
    assert parser.feed(b"") is None
    assert parser.arguments == [Word(b"x"), Word(b"1234", True)]


SAFE = st.binary(max_size=40).filter(lambda value: b"\0" not in value)


@given(st.lists(SAFE, max_size=4), st.sampled_from(Literals), st.integers(1, 30))
def test_reads_what_is_built(values: list[bytes], literals: Literals, size: int) -> None:
    data = b"".join(command(b"T1", b"X", texts(*values), literals))
    found, rest = read(data + b"rest", size)
    assert found[-1] == Command(b"T1", b"X", texts(*values))
    assert rest == b"rest"


PIECES = (b"a", b" ", b"LOGIN", b'"', b"\\", b"{3}", b"{3+}", b"\r\n", b"(", b")", b"*", b"\xff")


@given(st.lists(st.sampled_from(PIECES), max_size=25), st.integers(1, 9))
def test_pieces_make_no_difference(parts: list[bytes], size: int) -> None:
    data = b"".join(parts)
    assert read(data, size, LIMITS) == read(data, 10**6, LIMITS)
