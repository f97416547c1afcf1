"""Fields of a scanned head: found, joined, taken out, listed."""

from l7lb_protocols.http.fields import FieldSpans
from l7lb_protocols.http.scanner import RequestScanner

HEAD = (
    b"GET / HTTP/1.1\r\nHost: h\r\nAccept: a\r\nX-One:  1 \r\naccept: b\r\n"
    b"Connection: x-secret\r\nX-Secret: s\r\nX_Low: l\r\n\r\n"
)


def scanned() -> RequestScanner:
    head = RequestScanner()
    assert head.scan(HEAD) == len(HEAD)
    return head


def test_a_scanner_is_a_reader_of_fields() -> None:
    assert isinstance(scanned(), FieldSpans)


def test_repeated_lines_are_joined_in_order() -> None:
    assert scanned().header(b"accept") == b"a, b"


def test_values_come_without_the_white_space_around_them() -> None:
    assert scanned().header(b"x-one") == b"1"


def test_what_is_not_there_is_none() -> None:
    assert scanned().header(b"x-two") is None


def test_the_list_holds_what_would_be_forwarded() -> None:
    assert scanned().fields() == [
        (b"Host", b"h"),
        (b"Accept", b"a"),
        (b"X-One", b"1"),
        (b"accept", b"b"),
    ]


def test_a_removed_field_is_not_forwarded() -> None:
    head = scanned()
    head.remove(b"accept")
    assert b"ccept" not in head.forward(b"")
    assert [name for name, _ in head.fields()] == [b"Host", b"X-One"]
