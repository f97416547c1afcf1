"""What all servers can, and what a client is told of it."""

import pytest

from l7lb_protocols.imap.capabilities import (
    MAX_WORDS,
    Capabilities,
    Offer,
    advertise,
    after_login,
    has,
    intersect,
    mechanisms,
    parse,
)

DOVECOT = parse(
    b"IMAP4rev1 SASL-IR LOGIN-REFERRALS ID ENABLE IDLE LITERAL+ STARTTLS AUTH=PLAIN AUTH=LOGIN"
)
CYRUS = parse(b"IMAP4rev1 LITERAL- ID ENABLE UNAUTHENTICATE LOGINDISABLED idle Auth=plain")


def test_parse() -> None:
    assert parse(b" IMAP4rev1  ID ") == (b"IMAP4rev1", b"ID")
    assert len(parse(b"x " * 999)) == MAX_WORDS
    assert mechanisms(CYRUS) == (b"PLAIN",)
    assert has(CYRUS, b"IDLE")
    assert not has(CYRUS, b"IDL")


@pytest.mark.parametrize(
    ("several", "common"),
    [
        ([], b""),
        ([DOVECOT], b" ".join(DOVECOT)),
        ([DOVECOT, CYRUS], b"IMAP4rev1 ID ENABLE IDLE AUTH=PLAIN LITERAL-"),
        ([CYRUS, DOVECOT], b"IMAP4rev1 LITERAL- ID ENABLE idle Auth=plain"),
        ([DOVECOT, ()], b""),
    ],
)
def test_intersect(several: list[Capabilities], common: bytes) -> None:
    assert b" ".join(intersect(several)) == common


@pytest.mark.parametrize(
    ("common", "offer", "text"),
    [
        ((), Offer(()), b"IMAP4rev1 SASL-IR ID"),
        (
            DOVECOT,
            Offer((b"PLAIN", b"SCRAM-SHA-256")),
            b"IMAP4rev1 SASL-IR ID LITERAL+ ENABLE IDLE AUTH=PLAIN AUTH=SCRAM-SHA-256",
        ),
        (
            CYRUS,
            Offer((), starttls=True, login_disabled=True),
            b"IMAP4rev1 SASL-IR ID LITERAL- ENABLE idle STARTTLS LOGINDISABLED",
        ),
        ((b"IMAP4rev2",), Offer(()), b"IMAP4rev2 SASL-IR ID"),
        ((b"IMAP4rev1", b"IMAP4rev2"), Offer(()), b"IMAP4rev1 IMAP4rev2 SASL-IR ID"),
    ],
)
def test_advertise(common: Capabilities, offer: Offer, text: bytes) -> None:
    assert advertise(common, offer) == text


def test_after_login() -> None:
    assert b" ".join(after_login(DOVECOT)) == b"IMAP4rev1 SASL-IR ID ENABLE IDLE LITERAL+"
    assert b" ".join(after_login(CYRUS)) == b"IMAP4rev1 LITERAL- ID ENABLE idle"
