"""What all servers can, and what a client is told of it."""

import pytest

from l7lb_protocols.pop3.capabilities import (
    Capabilities,
    Offer,
    advertise,
    has,
    intersect,
    mechanisms,
    tag,
)

DOVECOT = (b"CAPA", b"TOP", b"UIDL", b"PIPELINING", b"STLS", b"USER", b"SASL PLAIN LOGIN")
CYRUS = (b"uidl", b"TOP", b"EXPIRE NEVER", b"SASL plain", b"IMPLEMENTATION Cyrus", b"UTF8")


def test_look_up() -> None:
    assert tag(b"expire 60") == b"EXPIRE"
    assert has(CYRUS, b"UIDL")
    assert not has(CYRUS, b"SASL PLAIN")
    assert mechanisms(CYRUS) == (b"PLAIN",)
    assert mechanisms(DOVECOT) == (b"PLAIN", b"LOGIN")


@pytest.mark.parametrize(
    ("several", "common"),
    [
        ([], ()),
        ([DOVECOT], DOVECOT),
        ([DOVECOT, CYRUS], (b"TOP", b"UIDL")),
        ([CYRUS, DOVECOT], (b"uidl", b"TOP")),
        ([(b"EXPIRE 60",), (b"EXPIRE 30",)], ()),
    ],
)
def test_intersect(several: list[Capabilities], common: Capabilities) -> None:
    assert intersect(several) == common


OURS = (b"RESP-CODES", b"AUTH-RESP-CODE")


@pytest.mark.parametrize(
    ("common", "offer", "lines"),
    [
        ((), Offer(()), (*OURS, b"USER")),
        ((), Offer((), starttls=True, user=False), (*OURS, b"STLS")),
        (CYRUS, Offer((b"PLAIN",)), (*CYRUS[:3], *OURS, b"USER", b"SASL PLAIN")),
        (DOVECOT[1:], Offer((b"A", b"B")), (*DOVECOT[1:4], *OURS, b"USER", b"SASL A B")),
    ],
)
def test_advertise(common: Capabilities, offer: Offer, lines: Capabilities) -> None:
    assert advertise(common, offer) == lines
