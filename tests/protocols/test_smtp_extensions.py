"""What may be promised, and what must be left out."""

from __future__ import annotations

import pytest

from l7lb_protocols.smtp.address import NULL, Address
from l7lb_protocols.smtp.errors import SmtpRefusal
from l7lb_protocols.smtp.extensions import (
    COMING,
    EVERYTHING,
    NONE,
    Content,
    Extensions,
    Own,
    check_offered,
    check_recipient_offered,
    fit_recipient,
    fit_sender,
    kept_by_all,
    keyword_lines,
    lost_reports,
    offer,
    parse_extensions,
)
from l7lb_protocols.smtp.parameters import (
    MailParameters,
    Recipient,
    RecipientParameters,
    Sender,
)
from l7lb_protocols.smtp.replies import reply

FULL = Extensions(
    pipelining=True,
    size=1000,
    eight_bit=True,
    smtputf8=True,
    dsn=True,
    enhanced=True,
    starttls=True,
    auth=frozenset((b"PLAIN", b"LOGIN")),
    xclient=frozenset((b"ADDR", b"TTL")),
)
PLAIN = Address(b"a", b"b")
WIDE = Address(b"\xc3\xa4", b"b")


def sender(address: Address = PLAIN, **parameters: object) -> Sender:
    return Sender(address, MailParameters(**parameters))  # type: ignore[arg-type]


def test_read() -> None:
    hello = reply(
        250,
        b"",
        "mx.example hello",
        "pipelining",
        "SIZE 1000",
        "8BITMIME",
        "SMTPUTF8",
        "DSN",
        "ENHANCEDSTATUSCODES",
        "STARTTLS",
        "AUTH PLAIN",
        "AUTH=LOGIN",
        "XCLIENT ADDR ttl",
        "CHUNKING",
        "",
    )
    assert parse_extensions(hello) == FULL


@pytest.mark.parametrize(
    ("line", "size"),
    [("SIZE", 0), ("SIZE 0", 0), ("SIZE x", 0), ("SIZE -1", 0), ("SIZE " + "9" * 21, 0)],
)
def test_read_odd_size(line: str, size: int) -> None:
    assert parse_extensions(reply(250, b"", "mx", line)) == Extensions(size=size)


def test_the_first_line_is_no_keyword() -> None:
    assert parse_extensions(reply(250, b"", "DSN")) == NONE


def test_written_and_read_again() -> None:
    lines = keyword_lines(FULL)
    assert parse_extensions(reply(250, b"", "mx", *lines)) == FULL
    assert keyword_lines(NONE) == []
    assert keyword_lines(Extensions(size=0)) == [b"SIZE"]


@pytest.mark.parametrize(
    ("servers", "kept"),
    [
        ([], EVERYTHING),
        ([FULL], Extensions(size=1000, eight_bit=True, smtputf8=True, dsn=True)),
        ([FULL, Extensions(size=500, dsn=True)], Extensions(size=500, dsn=True)),
        ([FULL, NONE], Extensions(size=1000)),
        ([Extensions(size=0, eight_bit=True)], Extensions(size=0, eight_bit=True)),
    ],
)
def test_kept_by_all(servers: list[Extensions], kept: Extensions) -> None:
    assert kept_by_all(servers) == kept
    assert kept_by_all(reversed(servers)) == kept


def test_offer_adds_what_is_ours_and_nothing_of_the_servers() -> None:
    kept = kept_by_all([FULL])
    offered = offer(kept, Own(max_bytes=600, auth=frozenset((b"SCRAM-SHA-256",))))
    assert offered == Extensions(
        pipelining=True,
        size=600,
        eight_bit=True,
        smtputf8=True,
        dsn=True,
        enhanced=True,
        auth=frozenset((b"SCRAM-SHA-256",)),
    )
    assert offer(kept_by_all([NONE]), Own()) == Extensions(pipelining=True, enhanced=True, size=0)


@pytest.mark.parametrize(
    "parameters",
    [
        {"size": 1},
        {"body": b"7BIT"},
        {"body": b"8BITMIME"},
        {"smtputf8": True},
        {"ret": b"FULL"},
        {"envid": b"x"},
        {"auth": NULL},
    ],
    ids=str,
)
def test_only_what_was_offered(parameters: dict[str, object]) -> None:
    check_offered(sender(**parameters), FULL)
    with pytest.raises(SmtpRefusal, match="555"):
        check_offered(sender(**parameters), NONE)


def test_recipient_only_what_was_offered() -> None:
    recipient = Recipient(PLAIN, RecipientParameters((b"NEVER",)))
    check_recipient_offered(recipient, FULL)
    check_recipient_offered(Recipient(PLAIN), NONE)
    with pytest.raises(SmtpRefusal, match="555"):
        check_recipient_offered(recipient, NONE)


def test_size_announced() -> None:
    check_offered(sender(size=1000), FULL)
    check_offered(sender(size=9999), Extensions(size=0))
    with pytest.raises(SmtpRefusal, match="552"):
        check_offered(sender(size=1001), FULL)


@pytest.mark.parametrize(
    ("given", "server", "content", "fitted"),
    [
        (sender(), NONE, COMING, sender()),
        (sender(size=5), NONE, COMING, sender()),
        (sender(size=5), FULL, COMING, sender(size=5)),
        (sender(size=5), FULL, Content(7), sender(size=7)),
        (sender(body=b"7BIT"), NONE, COMING, sender()),
        (sender(body=b"7BIT"), FULL, COMING, sender(body=b"7BIT")),
        (sender(body=b"8BITMIME"), FULL, COMING, sender(body=b"8BITMIME")),
        (sender(body=b"8BITMIME"), NONE, Content(3, True), sender()),
        (sender(), FULL, Content(3, False), sender(size=3, body=b"8BITMIME")),
        (sender(smtputf8=True), FULL, COMING, sender(smtputf8=True)),
        (sender(smtputf8=True), NONE, Content(3, True), sender()),
        (sender(ret=b"HDRS", envid=b"x"), FULL, COMING, sender(ret=b"HDRS", envid=b"x")),
        (sender(ret=b"HDRS", envid=b"x"), NONE, COMING, sender()),
        (sender(auth=NULL), FULL, COMING, sender(auth=NULL)),
        (sender(auth=NULL), NONE, COMING, sender()),
    ],
)
def test_fitted(given: Sender, server: Extensions, content: Content, fitted: Sender) -> None:
    assert fit_sender(given, server, content) == fitted


@pytest.mark.parametrize(
    ("given", "server", "content", "code"),
    [
        (sender(size=1001), FULL, COMING, 552),
        (sender(), FULL, Content(1001), 552),
        (sender(body=b"8BITMIME"), NONE, COMING, 554),
        (sender(body=b"8BITMIME"), NONE, Content(3, False), 554),
        (sender(), NONE, Content(3, False), 554),
        (sender(smtputf8=True), NONE, COMING, 550),
        (sender(WIDE, smtputf8=True), NONE, Content(3, True), 550),
        (sender(smtputf8=True), Extensions(eight_bit=True), Content(3, False), 550),
    ],
)
def test_not_to_be_fitted(given: Sender, server: Extensions, content: Content, code: int) -> None:
    with pytest.raises(SmtpRefusal) as caught:
        fit_sender(given, server, content)
    assert caught.value.code == code


def test_recipients_fitted() -> None:
    asked = Recipient(PLAIN, RecipientParameters((b"SUCCESS",), (b"rfc822", b"x@y")))
    assert fit_recipient(asked, FULL) == asked
    assert fit_recipient(asked, NONE) == Recipient(PLAIN)
    assert fit_recipient(Recipient(WIDE), FULL) == Recipient(WIDE)
    with pytest.raises(SmtpRefusal, match="550"):
        fit_recipient(Recipient(WIDE), NONE)
    assert lost_reports(asked, NONE)
    assert not lost_reports(asked, FULL)
    assert not lost_reports(Recipient(PLAIN), NONE)
