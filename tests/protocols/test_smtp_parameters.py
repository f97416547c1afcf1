"""Parameters of MAIL and RCPT, and xtext."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l7lb_protocols.smtp.address import NULL, Address
from l7lb_protocols.smtp.errors import SmtpRefusal
from l7lb_protocols.smtp.grammar import (
    is_host_name,
    is_utf8,
    require_text,
    xtext_decode,
    xtext_encode,
)
from l7lb_protocols.smtp.parameters import (
    MailParameters,
    Recipient,
    RecipientParameters,
    Sender,
    parse_recipient,
    parse_sender,
    render_recipient,
    render_sender,
)

SENDER = {
    b"FROM:<a@b>": MailParameters(),
    b"from: <a@b>": MailParameters(),
    b"FROM:<a@b> SIZE=0": MailParameters(size=0),
    b"FROM:<a@b> size=12 body=8bitmime": MailParameters(size=12, body=b"8BITMIME"),
    b"FROM:<a@b>  BODY=7BIT  SMTPUTF8": MailParameters(body=b"7BIT", smtputf8=True),
    b"FROM:<a@b> RET=hdrs ENVID=q+2B1": MailParameters(ret=b"HDRS", envid=b"q+1"),
    b"FROM:<a@b> AUTH=<>": MailParameters(auth=NULL),
    b"FROM:<a@b> AUTH=x+2By@z": MailParameters(auth=Address(b"x+y", b"z")),
}
SENDER_BAD = {
    b"": 501,
    b"<a@b>": 501,
    b"TO:<a@b>": 501,
    b"FROM <a@b>": 501,
    b"FROM:<a@b> SIZE": 501,
    b"FROM:<a@b> SIZE=": 501,
    b"FROM:<a@b> SIZE=-1": 501,
    b"FROM:<a@b> SIZE=1x": 501,
    b"FROM:<a@b> SIZE=\xd9\xa1": 501,
    b"FROM:<a@b> SIZE=" + b"9" * 21: 501,
    b"FROM:<a@b> SIZE=1 SIZE=1": 501,
    b"FROM:<a@b> SIZE=1=2": 501,
    b"FROM:<a@b> BODY": 501,
    b"FROM:<a@b> BODY=BINARYMIME": 501,
    b"FROM:<a@b> SMTPUTF8=1": 501,
    b"FROM:<a@b> RET=ALL": 501,
    b"FROM:<a@b> ENVID=": 501,
    b"FROM:<a@b> ENVID=+0A": 501,
    b"FROM:<a@b> ENVID=+00": 501,
    b"FROM:<a@b> ENVID=+4": 501,
    b"FROM:<a@b> ENVID=" + b"x" * 101: 501,
    b"FROM:<a@b> AUTH=": 501,
    b"FROM:<a@b> AUTH=+3Ca@b+3E": 501,
    b"FROM:<a@b> -X=1": 501,
    b"FROM:<a@b> MT-PRIORITY=3": 555,
    b"FROM:<a@b> FOO": 555,
    b"FROM:<\xc3\xa4@b>": 553,
    b"FROM:<a@b> FOO=\xff SMTPUTF8": 555,
    b"FROM:<a@b> ENVID=\xff SMTPUTF8": 501,
}
RECIPIENT = {
    b"TO:<c@d>": RecipientParameters(),
    b"TO:<c@d> NOTIFY=never": RecipientParameters((b"NEVER",)),
    b"TO:<c@d> NOTIFY=SUCCESS,FAILURE,DELAY": RecipientParameters(
        (b"SUCCESS", b"FAILURE", b"DELAY")
    ),
    b"TO:<c@d> ORCPT=RFC822;c+2Bx@d": RecipientParameters(orcpt=(b"rfc822", b"c+x@d")),
    b"TO:<c@d> ORCPT=utf-8;\\x{E4}@d": RecipientParameters(orcpt=(b"utf-8", b"\\x{E4}@d")),
}
RECIPIENT_BAD = {
    b"TO:<>": 501,
    b"TO:<user>": 501,
    b"FROM:<c@d>": 501,
    b"TO:<c@d> NOTIFY=": 501,
    b"TO:<c@d> NOTIFY=NEVER,DELAY": 501,
    b"TO:<c@d> NOTIFY=DELAY,DELAY": 501,
    b"TO:<c@d> NOTIFY=SOON": 501,
    b"TO:<c@d> ORCPT=c@d": 501,
    b"TO:<c@d> ORCPT=;c@d": 501,
    b"TO:<c@d> ORCPT=rfc822;": 501,
    b"TO:<c@d> ORCPT=rfc822;+0D+0A": 501,
    b"TO:<c@d> ORCPT=rfc822;" + b"x" * 500: 501,
    b"TO:<c@d> SIZE=1": 555,
    b"TO:<c@\xc3\xa4>": 553,
}


@pytest.mark.parametrize("argument", SENDER)
def test_sender(argument: bytes) -> None:
    sender = parse_sender(argument)
    assert sender.parameters == SENDER[argument]
    assert parse_sender(render_sender(sender)) == sender


@pytest.mark.parametrize("argument", SENDER_BAD)
def test_sender_refused(argument: bytes) -> None:
    with pytest.raises(SmtpRefusal) as caught:
        parse_sender(argument)
    assert caught.value.code == SENDER_BAD[argument]


@pytest.mark.parametrize("argument", RECIPIENT)
def test_recipient(argument: bytes) -> None:
    recipient = parse_recipient(argument)
    assert recipient == Recipient(Address(b"c", b"d"), RECIPIENT[argument])
    assert parse_recipient(render_recipient(recipient)) == recipient


@pytest.mark.parametrize("argument", RECIPIENT_BAD)
def test_recipient_refused(argument: bytes) -> None:
    with pytest.raises(SmtpRefusal) as caught:
        parse_recipient(argument)
    assert caught.value.code == RECIPIENT_BAD[argument]


def test_utf8_where_it_was_asked_for() -> None:
    address = Address(b"j\xc3\xb6", b"b\xc3\xa4r")
    sender = parse_sender(b"FROM:<j\xc3\xb6@b\xc3\xa4r> SMTPUTF8")
    assert sender == Sender(address, MailParameters(smtputf8=True))
    assert parse_recipient(b"TO:<j\xc3\xb6@b\xc3\xa4r>", True) == Recipient(address)


def test_utf8_that_is_none() -> None:
    with pytest.raises(SmtpRefusal, match="invalid UTF-8"):
        parse_recipient(b"TO:<c@d> ORCPT=utf-8;\xff", True)


def test_null_sender_and_postmaster() -> None:
    assert parse_sender(b"FROM:<>").address == NULL
    assert render_sender(Sender(NULL)) == b"FROM:<>"
    assert parse_recipient(b"TO:<PostMaster>").address == Address(b"PostMaster")


@given(st.from_regex(rb"[\t -~\x80-\xff]*", fullmatch=True))
def test_xtext_there_and_back(text: bytes) -> None:
    encoded = xtext_encode(text)
    assert set(encoded) <= set(range(33, 127)) - set(b"=")
    assert xtext_decode(encoded) == text
    assert require_text(encoded) == encoded


@pytest.mark.parametrize(
    "text", [b"+", b"+4", b"+G0", b"a=b", b"a b", b"\x80", b"+0a", b"+00", b"+7f"]
)
def test_xtext_refused(text: bytes) -> None:
    with pytest.raises(SmtpRefusal, match="501"):
        xtext_decode(text)


def test_host_names() -> None:
    good = [b"a", b"a.b", b"a-b.c", b"xn--bcher-kva.example", b"1.2", b"a_b", b"a."]
    bad = [b"", b".", b"a..b", b"-a", b"a-", b"a b", b"a" * 64, b"a.b" * 100, b"a/b"]
    assert all(map(is_host_name, good))
    assert not any(map(is_host_name, bad))
    assert is_utf8(b"\xc3\xa4")
    assert not is_utf8(b"\xc0\xaf")
    assert not is_utf8(b"\xed\xa0\x80")
