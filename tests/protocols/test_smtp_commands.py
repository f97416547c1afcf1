"""Verbs and arguments, and the commands that we send."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l7lb_protocols.smtp.address import Address
from l7lb_protocols.smtp.commands import (
    FOREIGN,
    REFUSED,
    VERBS,
    Command,
    auth_plain_line,
    base64_decode,
    command_line,
    mail_line,
    parse_auth,
    parse_command,
    parse_hello,
    rcpt_line,
)
from l7lb_protocols.smtp.errors import Misuse, SmtpRefusal
from l7lb_protocols.smtp.parameters import MailParameters, Recipient, Sender
from support.smtp_rules import check_command
from support.smtp_seeds import COMMANDS

GOOD = {
    b"NOOP": Command(b"NOOP"),
    b"noop": Command(b"NOOP"),
    b"Mail From:<a@b>": Command(b"MAIL", b"From:<a@b>"),
    b"EHLO  host ": Command(b"EHLO", b"host"),
    b"RSET ": Command(b"RSET"),
    b"VRFY x y": Command(b"VRFY", b"x y"),
}
BAD = {
    b"": 500,
    b" NOOP": 500,
    b"NOOPX": 500,
    b"MAIL\tFROM:<a@b>": 500,
    b"RS\x7fET": 500,
    b"NOOP \x1b[2J": 500,
    b"DATA now": 501,
    b"RSET x": 501,
    b"QUIT x": 501,
    b"STARTTLS x": 501,
    b"BDAT 10 LAST": 502,
    b"EXPN all": 502,
}


@pytest.mark.parametrize("line", GOOD)
def test_good(line: bytes) -> None:
    assert parse_command(line) == GOOD[line]


@pytest.mark.parametrize("line", BAD)
def test_bad(line: bytes) -> None:
    with pytest.raises(SmtpRefusal) as caught:
        parse_command(line)
    assert caught.value.code == BAD[line]
    assert not caught.value.fatal


@pytest.mark.parametrize("verb", sorted(FOREIGN))
def test_http_ends_the_connection(verb: bytes) -> None:
    with pytest.raises(SmtpRefusal) as caught:
        parse_command(verb + b" / HTTP/1.1")
    assert caught.value.fatal


def test_sets_of_verbs_do_not_meet() -> None:
    assert not VERBS & REFUSED
    assert not (VERBS | REFUSED) & FOREIGN


@pytest.mark.parametrize(
    ("argument", "name"),
    [
        (b"host.example.org", b"host.example.org"),
        (b"[192.0.2.1]", b"[192.0.2.1]"),
        (b"[IPv6:2001:db8::1]", b"[IPv6:2001:db8::1]"),
        (b"my_pc", b"my_pc"),
        (b"host and more", b"host"),
    ],
)
def test_hello(argument: bytes, name: bytes) -> None:
    assert parse_hello(argument) == name


@pytest.mark.parametrize("argument", [b"", b"a(b", b"<x>", b"h\xc3\xa4", b"a" * 256, b'"', b"a;b"])
def test_hello_refused(argument: bytes) -> None:
    with pytest.raises(SmtpRefusal, match="501"):
        parse_hello(argument)


@pytest.mark.parametrize(
    ("argument", "read"),
    [
        (b"plain", (b"PLAIN", None)),
        (b"PLAIN =", (b"PLAIN", b"")),
        (b"PLAIN AGEAYg==", (b"PLAIN", b"\0a\0b")),
    ],
)
def test_auth(argument: bytes, read: tuple[bytes, bytes | None]) -> None:
    assert parse_auth(argument) == read


BASE64 = [b"A", b"AA=", b"AGEAYg=", b"AGEAYg===", b"AG EA", b"AGE*", b"AGEAYg==x", b"====", b"\xff"]


@pytest.mark.parametrize("text", BASE64)
def test_bad_base64(text: bytes) -> None:
    with pytest.raises(SmtpRefusal, match="501"):
        base64_decode(text)


@pytest.mark.parametrize("argument", [b"", b"PLAIN a b", b"PLAIN A"])
def test_auth_refused(argument: bytes) -> None:
    with pytest.raises(SmtpRefusal, match="501"):
        parse_auth(argument)


def test_lines_for_servers() -> None:
    assert command_line(b"EHLO", b"d.example") == b"EHLO d.example\r\n"
    sender = Sender(Address(b"a b", b"c"), MailParameters(size=3, body=b"8BITMIME"))
    assert mail_line(sender) == b'MAIL FROM:<"a b"@c> SIZE=3 BODY=8BITMIME\r\n'
    assert rcpt_line(Recipient(Address(b"x", b"y"))) == b"RCPT TO:<x@y>\r\n"
    assert auth_plain_line(b"u", b"p", b"o") == b"AUTH PLAIN bwB1AHA=\r\n"


@pytest.mark.parametrize("argument", [b"a\r\nQUIT", b"a\nb", b"a\0", b"\r"])
def test_no_second_command(argument: bytes) -> None:
    with pytest.raises(Misuse):
        command_line(b"EHLO", argument)
    with pytest.raises(Misuse):
        rcpt_line(Recipient(Address(b"x", argument)))
    with pytest.raises(Misuse):
        mail_line(Sender(Address(argument, b"y")))


@pytest.mark.parametrize("line", [line for seed in COMMANDS for line in seed.split(b"\r\n")])
def test_seeds(line: bytes) -> None:
    check_command(line)


@given(st.binary(max_size=80))
def test_only_refusals(line: bytes) -> None:
    check_command(line)


WORDS = (
    b' < > @ a . " \\ [ ] : , = + ; 1 IPv6: SIZE= ORCPT=rfc822; NOTIFY= ENVID= SMTPUTF8 ADDR='
    b" \xc3 \xa4 NEVER <a@b>"
)


@given(
    st.sampled_from([b"MAIL FROM:", b"RCPT TO:", b"XCLIENT ", b"AUTH ", b"EHLO "]),
    st.lists(st.sampled_from([b" ", *WORDS.split()]), max_size=12).map(b"".join),
)
def test_only_refusals_of_arguments(verb: bytes, argument: bytes) -> None:
    check_command(verb + argument)
