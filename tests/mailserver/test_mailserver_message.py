"""Parts of a message."""

from hypothesis import given
from hypothesis import strategies as st

from l7lb.mailserver.message import chosen_fields, raw_fields, split, to_wire, value, values

HEAD = b"Subject: a\r\n b\r\nTo: x\r\nsubject : c\r\nno field\r\nX-Y:\r\n\r\n"


@given(st.binary())
def test_cutting_loses_nothing(data: bytes) -> None:
    head, body = split(data)
    assert head + body == data


@given(st.binary())
def test_lines_end_in_crlf(data: bytes) -> None:
    wire = to_wire(data)
    assert wire.count(b"\n") == wire.count(b"\r\n") == data.count(b"\n")
    assert to_wire(wire) == wire


def test_fields_are_found() -> None:
    assert split(HEAD + b"body") == (HEAD, b"body")
    assert split(b"\r\nbody") == (b"\r\n", b"body")
    assert split(b"a: b\r\n") == (b"a: b\r\n", b"")
    assert [name for name, _ in raw_fields(HEAD)] == [b"subject", b"to", b"subject", b"x-y"]
    assert values(HEAD, b"subject") == ["a b", "c"]
    assert chosen_fields(HEAD, frozenset({b"to"}), is_not=False) == b"To: x\r\n\r\n"
    assert chosen_fields(HEAD, frozenset({b"subject"}), is_not=True) == b"To: x\r\nX-Y:\r\n\r\n"


def test_encoded_words_are_decoded_where_they_can_be() -> None:
    assert value(b"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n") == "Grüße"
    assert value(b"Subject: =?no-such?q?a?=\r\n") == "=?no-such?q?a?="
