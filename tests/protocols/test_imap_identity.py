"""ID: limits, and the hand-over of the client's address."""

import pytest

from l7lb_protocols.imap.commands import Command, CommandReader
from l7lb_protocols.imap.errors import ImapRefusal
from l7lb_protocols.imap.grammar import Argument, Word
from l7lb_protocols.imap.identity import (
    Identity,
    argument,
    command,
    origin,
    own_words,
    parse,
)
from l7lb_protocols.login.origin import MAX_HOPS, Origin


def texts(*values: bytes) -> tuple[Word, ...]:
    return tuple(Word(value, True) for value in values)


def pairs(count: int) -> Identity:
    return tuple((b"k%d" % number, b"v") for number in range(count))


@pytest.mark.parametrize(
    ("words", "identity"),
    [
        (Word(b"nil"), ()),
        ((), ()),
        (texts(b"Name", b"mutt"), ((b"name", b"mutt"),)),
        ((Word(b"os", True), Word(b"NIL")), ((b"os", b""),)),
        (texts(b"k" * 30, b"v" * 1024), ((b"k" * 30, b"v" * 1024),)),
        (argument(pairs(30)), pairs(30)),
    ],
)
def test_good(words: Argument, identity: Identity) -> None:
    assert parse((words,)) == identity


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        (Word(b"NIL"), Word(b"NIL")),
        (Word(b"NIL", True),),
        (Word(b"x"),),
        (texts(b"a"),),
        (texts(b"a", b"1", b"A", b"2"),),
        (texts(b"k" * 31, b"v"),),
        (texts(b"k", b"v" * 1025),),
        ((Word(b"k"), Word(b"v", True)),),
        ((Word(b"k", True), Word(b"v")),),
        (tuple(word for n in range(31) for word in texts(b"k%d" % n, b"v")),),
    ],
)
def test_bad(arguments: tuple[Argument, ...]) -> None:
    with pytest.raises(ImapRefusal):
        parse(arguments)


def test_argument_keeps_the_limits() -> None:
    assert argument(()) == Word(b"NIL")
    words = argument((*pairs(40), (b"long", b"v" * 1025), (b"k" * 31, b"v")))
    assert isinstance(words, tuple)
    assert len(words) == 60
    assert argument(((b"os", b""),)) == (Word(b"os", True), Word(b"NIL"))


def told_by(pairs: Identity, there: Origin) -> Identity:
    """What a server reads."""
    reader = CommandReader()
    reader.receive(command(b"L1", pairs, there))
    found = reader.next_command()
    assert isinstance(found, Command)
    assert (found.tag, found.name, len(reader)) == (b"L1", b"ID", 0)
    return parse(found.arguments)


def test_origin_there_and_back() -> None:
    there = Origin("192.0.2.9", 4321, "192.0.2.1", 143, b's"1\\', 4)
    told = told_by(((b"name", b"mutt"), (b"x-originating-ip", b"6.6.6.6")), there)
    assert (b"x-proxy-ttl", b"3") in told
    assert told[-1] == (b"name", b"mutt")
    assert b"6.6.6.6" not in dict(told).values()
    assert origin(told) == there.next_hop()
    assert own_words(told) == ((b"name", b"mutt"),)
    assert len(told_by(pairs(30), there)) == 30


def test_what_the_client_says_cannot_become_syntax() -> None:
    said = ((b'na"me', b'mu\\tt" ("x"'), (b"os", b""), (b"vendor", b"a\r\nb"), (b"v", "é".encode()))
    assert told_by(said, Origin())[1:] == (said[0], (b"os", b""))


def test_no_origin_and_nonsense() -> None:
    assert origin(((b"name", b"mutt"),)) == Origin(hops_left=MAX_HOPS)
    with pytest.raises(ImapRefusal):
        origin(((b"x-originating-ip", b"joe"),))
